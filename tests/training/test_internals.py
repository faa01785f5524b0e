"""Private parts of Lightning and torch are still what training/internals.py takes them for."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training import internals

STEPS = 4  # an epoch


class Net(L.LightningModule):
    """Something to train, which counts its steps."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.lr = lr
        self.steps = 0

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.steps += 1
        return self.layer(batch).sum()

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.SGD(self.parameters(), self.lr)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=100)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def trainer(folder: Path, *, epochs: int) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        max_steps=100,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, filename="last", save_on_train_epoch_end=True)],
    )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of one epoch."""
    trainer(tmp_path, epochs=1).fit(Net(), DataLoader(torch.ones(STEPS, 1)))
    return tmp_path / "last.ckpt"


class ParsedError(Exception):
    """Ends a command line once it is parsed."""


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")  # pytest has arguments of its own
@pytest.mark.parametrize(("kind", "lr"), [(LightningCLI, 0.5), (internals.PlainCommandLine, 0.3)])
def test_settings_of_a_checkpoint_do_not_replace_those_of_the_command_line(
    kind: type[LightningCLI], lr: float, tmp_path: Path
) -> None:
    torch.save({"hyper_parameters": {"lr": 0.5}}, tmp_path / "some.ckpt")
    chosen = []

    class CommandLine(kind):
        def before_instantiate_classes(self) -> None:
            chosen.append(self.config.fit.model.lr)
            raise ParsedError

    with pytest.raises(ParsedError):
        CommandLine(
            Net,
            seed_everything_default=False,
            args=["fit", "--model.lr=0.3", f"--ckpt_path={tmp_path / 'some.ckpt'}"],
        )
    assert chosen == [lr]


def test_an_averaged_net_moves(tmp_path: Path) -> None:
    callback, net = WeightAveraging(), Net()
    callback.setup(trainer(tmp_path, epochs=1), net, "fit")
    internals.move_average(callback, torch.device("meta"))
    callback.on_save_checkpoint(trainer(tmp_path, epochs=1), net, content := {"state_dict": net.state_dict()})
    assert content["state_dict"]["layer.weight"].is_meta
    assert not content["current_model_state"]["layer.weight"].is_meta


def test_the_averaged_copy_is_the_module_again(tmp_path: Path) -> None:
    callback, net = WeightAveraging(), Net()
    callback.setup(trainer(tmp_path, epochs=1), net, "fit")
    copy = internals.averaged(callback)
    assert isinstance(copy, Net) and copy is not net
    assert torch.equal(copy.layer.weight, net.layer.weight)


@pytest.mark.parametrize("is_repaired", [True, False])
def test_a_resumed_training_begins_with_the_next_epoch(
    is_repaired: bool, checkpoint: Path, tmp_path: Path
) -> None:
    net, again = Net(), trainer(tmp_path, epochs=3)
    if is_repaired:
        internals.resume_at_next_epoch(again)
    again.fit(net, DataLoader(torch.ones(STEPS, 1)), ckpt_path=checkpoint)
    assert (net.steps == 2 * STEPS) is is_repaired


def test_the_steps_that_a_schedule_was_planned_for(checkpoint: Path) -> None:
    assert internals.planned_steps(torch.load(checkpoint, weights_only=True)) == 100


def test_a_data_loader_draws_one_number_when_an_epoch_begins() -> None:
    states = []
    for draw in (lambda: iter(DataLoader(torch.ones(2))), internals.skip_loader_seed):
        torch.manual_seed(0)
        draw()
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_the_seed_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    L.seed_everything(7, verbose=False)
    assert internals.global_seed() == 7
    monkeypatch.delenv("PL_GLOBAL_SEED")
    assert internals.global_seed() is None


def test_whether_the_processor_computes_in_bf16_has_an_answer() -> None:
    assert internals.cpu_computes_in_bf16() in (True, False)


def test_fake_tensors_take_no_memory_and_have_a_storage_each() -> None:
    with internals.fake_tensors():
        large, other = torch.zeros(2**50), torch.zeros(2**50)
        keys = [internals.storage_key(tensor) for tensor in (large, large[1:], other)]
    assert keys[0] == keys[1] != keys[2]
