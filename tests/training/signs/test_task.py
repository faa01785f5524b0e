"""A sign classifier learns and is measured as its task says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from perception.spec import ModelSpec, Provenance
from training.checkpoint import save_weights
from training.graph import wheel
from training.signs.net import SignNet
from training.signs.task import Attack, Distillation, SignTask, known_logit


def test_known_needs_one_clear_sign() -> None:
    clear, torn, none = known_logit(
        torch.tensor([[9.0, 0.0, 0.0, 0.0], [9.0, 9.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    )
    assert clear > 7  # one sign and nothing beside it
    assert torn == pytest.approx(0.0, abs=0.01)  # two signs at once are none that is known
    assert none < -7


@pytest.mark.parametrize("doubt", [100.0, 2.0])
def test_an_attack_stays_within_its_radius_and_misleads_sure_nets_too(doubt: float) -> None:
    torch.manual_seed(0)
    task = SignTask(attack=Attack(radius=4.0))
    task.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    task.net[1].weight.data /= doubt
    frames = torch.rand(16, 3, 32, 32) * 255
    ids = task(frames).argmax(dim=1)
    attacked = task.attacked(frames, ids, steps=20)
    assert (attacked - frames).abs().max() <= 4.0 + 1e-3
    assert 0 <= attacked.min() <= attacked.max() <= 255

    def loss(x: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(task(x), ids)

    with torch.no_grad():
        noise = (frames + 4.0 * torch.randn_like(frames).sign()).clamp(0, 255)
        assert loss(attacked) - loss(frames) > 5 * abs(loss(noise) - loss(frames))
        assert (task(attacked).argmax(dim=1) == ids).float().mean() < 0.5


def test_an_attack_on_signs_alone_finds_no_way_out_in_no_sign() -> None:
    torch.manual_seed(0)
    task = SignTask(attack=Attack(radius=4.0))
    task.net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    task.net[1].weight.data[2] *= 5.0  # "no known sign" is the easiest to reach
    frames, ids = torch.rand(16, 3, 32, 32) * 255, torch.arange(16) % 2

    def right(classes: int | None) -> float:
        attacked = task.attacked(frames, ids, steps=20, classes=classes)
        return float((task(attacked)[:, :2].argmax(dim=1) == ids).float().mean())

    assert right(2) < right(None)


def test_a_share_of_each_batch_stays_clean() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3 * 8 * 8, 4)

        def pooled(self, frames: torch.Tensor) -> torch.Tensor:
            self.learnt = frames
            return frames.flatten(1)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return self.head(self.pooled(frames))

    task = SignTask(attack=Attack(radius=4.0, share=0.5))
    task.net, task.teachers, task.log = Net(), [], lambda *args, **kwargs: None
    frames = torch.rand(4, 3, 8, 8) * 255
    task.training_step((frames, torch.tensor([0, 1, 2, 3])), 0)
    changed = (task.net.learnt != frames).flatten(1).any(dim=1)
    assert changed.tolist() == [True, True, False, False]


def test_a_net_learns_its_teachers_opinion() -> None:
    torch.manual_seed(0)
    teacher, student = SignTask(), SignTask(distillation=Distillation(weight=1.0))
    for task in (teacher, student):
        task.make_net(("a", "b", "c"))
    student.teachers, student.log = [teacher.eval().requires_grad_(False)], lambda *args, **kwargs: None
    batch = torch.rand(8, 3, 32, 32) * 255, torch.zeros(8, dtype=torch.long)
    student.eval()
    apart = student.training_step(batch, 0)
    apart.backward()
    assert apart > 0 and student.net.features[0].weight.grad.abs().sum() > 0
    student.net.load_state_dict(teacher.net.state_dict())
    assert student.training_step(batch, 0).item() == pytest.approx(0.0, abs=1e-5)


def test_validation_measures_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two signs, a street that is none, and a sign that nobody taught; an attack makes all the first sign."""
    logits = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0], [8.0, 7.9, 0.0]])
    task, logged = SignTask(attack=Attack(radius=4.0)), {}
    task.make_net(("a", "b"))
    task.trainer = SimpleNamespace(datamodule=SimpleNamespace(background="street", hold_out=("c",)))
    task.log = lambda name, metric, **_: logged.update({name: metric})
    # The frames say which they are.
    monkeypatch.setattr(SignTask, "forward", lambda _, frames: logits[frames[:, 0, 0, 0].long()])

    def attacked(task: SignTask, frames: torch.Tensor, ids: torch.Tensor, **options: int) -> torch.Tensor:
        assert options == {"steps": 20, "classes": 2}
        return torch.zeros_like(frames)

    monkeypatch.setattr(SignTask, "attacked", attacked)
    frames = torch.arange(4.0)[:, None, None, None].expand(4, 3, 8, 8)
    task.validation_step((frames, torch.tensor([0, 1, 2, 3])), 0)
    assert {name: float(metric.compute()) for name, metric in logged.items()} == {
        "val_accuracy": 1.0,
        "val_robust_accuracy": 0.5,
        "val_known_auroc": 1.0,
        "val_unseen_auroc": 1.0,
    }


@pytest.mark.parametrize(
    ("provenance", "warns"),
    [
        (Provenance("GTSRB", "the same"), False),
        (Provenance("GTSRB", "another"), True),
        (Provenance("GTSRB", "the same", learnt_val=True), True),
        (Provenance("signs of my own", "another", learnt_val=True), False),
        (Provenance("the same in another folder", "the same", learnt_val=True), True),
        (Provenance("GTSRB"), False),  # an older file
    ],
)
def test_a_training_says_if_it_starts_from_what_has_learnt_what_validates(
    provenance: Provenance, warns: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = ModelSpec("signs", tuple("abc"), wheel(3), (48, 48), provenance=provenance)
    save_weights(SignNet(3), tmp_path / "signs.safetensors", spec)
    for train_on_val in (False, True):
        task = SignTask(start=str(tmp_path / "signs.safetensors"))
        data = SimpleNamespace(labels="abc", data_set="GTSRB", kept_aside="the same")
        data.train_on_val = train_on_val
        task.trainer = SimpleNamespace(datamodule=data)
        task.configure_model()
        said = "these weights have learnt from" in capsys.readouterr().out
        assert said is task.start_learnt_val is (warns and not train_on_val)
