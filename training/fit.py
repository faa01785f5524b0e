"""Training: Lightning's command line with the callbacks that every run has, and the export at its end."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, WeightAveraging
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.tuner import Tuner
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader

from training.check import require_sound
from training.checkpoint import require_same_run
from training.datasets.images import DataError
from training.export import export
from training.malloc import fail_at_the_end

DOUBLINGS = 5  # of the batch, at most
# As the CPU's allocator, CUDA, and its libraries say it, in errors that have no class of their own.
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
# Lightning's names and numbers for the same.
PRECISIONS = {
    "32-true": "32-true",
    "32": "32-true",
    "bf16-mixed": "bf16-mixed",
    "bf16": "bf16-mixed",
    "16-mixed": "16-mixed",
    "16": "16-mixed",
}
DECAY = 0.998  # of the running average of the weights, in the long run


class RunningAverage(WeightAveraging):
    """A running average of the weights, kept where the net is.

    Lightning makes it before the net moves to a GPU, and would bring all weights to the CPU in every step.
    """

    def __init__(self) -> None:
        super().__init__(avg_fn=running_average)

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._average_model.to(module.device)


class Provenance(Callback):
    """Keeps the seed in the checkpoint for the exported model to name, and where its random numbers stood.

    Refuses to resume another schedule.
    """

    random: dict[str, Any] | None = None  # of the checkpoint that is resumed

    def on_save_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["seed"] = os.environ.get("PL_GLOBAL_SEED", "none")
        checkpoint["random"] = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}

    def on_load_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        # A one-cycle schedule ends where it was planned to, and OneCycleLR says so only when it gets there.
        planned, wanted = checkpoint["lr_schedulers"][0]["total_steps"], trainer.estimated_stepping_batches
        if planned != wanted:
            raise DataError(
                f"the checkpoint's schedule has {planned} steps and this run would have {wanted}; "
                "resume with the data, batch size and epochs it began with"
            )
        self.random = checkpoint.get("random")
        if not self.random:
            print("an older checkpoint, without its random numbers: those of the first epochs come again")

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        # From the seed again, a resumed run would repeat the crops and spots of its first epochs.
        if self.random:
            torch.set_rng_state(self.random["cpu"])
            for device, state in enumerate(self.random["cuda"][: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(state, device)
            # Each epoch begins with a seed drawn for the loader's workers; this one's was drawn before.
            torch.empty((), dtype=torch.int64).random_()


class _CommandLine(LightningCLI):
    """One training as the arguments say, and its export.

    Args:
        arguments: as on the command line, from ``fit`` on.
        calibration: model whose calibration the exported one takes, see :func:`export`.
    """

    exported: Path | None = None

    def __init__(self, arguments: list[str], *, calibration: Path | None = None) -> None:
        self.calibration = calibration
        every_epoch = ModelCheckpoint(
            filename="last", enable_version_counter=False, save_on_train_epoch_end=True
        )
        callbacks = [RunningAverage(), every_epoch, LearningRateMonitor(), Provenance()]
        super().__init__(
            L.LightningModule,
            L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": callbacks, "devices": 1, "precision": "32-true"},
            auto_configure_optimizers=False,
            args=arguments,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--find_batch_size",
            type=bool,
            default=False,
            help=f"double --data.batch_size until memory is out, {DOUBLINGS} times at most, and train so",
        )
        parser.add_argument(
            "--refit",
            type=bool,
            default=False,
            help="train a second time, then on the validation part, too, calibrated by the first model",
        )

    def before_instantiate_classes(self) -> None:
        trainer = self.config.fit.trainer
        on_cpu = trainer.accelerator == "cpu" or (
            trainer.accelerator == "auto" and not torch.accelerator.is_available()
        )
        precision = PRECISIONS.get(str(trainer.precision))
        if precision is None:
            raise DataError(
                f"--trainer.precision {trainer.precision} would keep the weights in another precision than "
                f"fp32; choose one of {', '.join(sorted({*PRECISIONS.values()}))}"
            )
        if on_cpu:
            fail_at_the_end()
            if precision != "32-true" and not computes_in_bf16():  # of 16-mixed, Lightning makes bf16-mixed
                precision = "32-true"
                print("this processor does not compute in bf16: training in full precision (32-true) instead")
        elif precision == "bf16-mixed" and not gpu_computes_in_bf16():
            precision = "16-mixed"
            print("this GPU does not compute in bf16: training in half precision (16-mixed) instead")
        trainer.precision = precision

    def _parse_ckpt_path(self) -> None:
        """Lightning would silently put the checkpoint's settings in place of the command line's."""

    def before_fit(self) -> None:
        if self.trainer.world_size > 1:
            # Of several, each would take a part of the steps, at the same learning rate.
            raise DataError(
                f"a training takes one device, not {self.trainer.world_size}; --trainer.devices [N] chooses "
                "which, and the others can train other nets meanwhile"
            )
        if self.config.fit.refit and self.datamodule.train_on_val:
            raise DataError("--refit needs a first training that validates; leave out --data.train_on_val")
        resumed = self.config.fit.ckpt_path
        self.model.is_resumed = bool(resumed)
        # With max_steps, Lightning goes on as if the epoch that the checkpoint ends had not ended.
        self.trainer.fit_loop._iteration_based_training = lambda: False
        if resumed:
            require_same_run(Path(resumed), self.model, self.datamodule)
            if self.config.fit.find_batch_size:
                raise DataError(
                    "a training goes on with the batch size it found; leave out --find_batch_size"
                )
        require_sound(self.datamodule)  # before minutes are spent on data that cannot tell anything
        if self.config.fit.find_batch_size:
            began = self.datamodule.batch_size
            self.datamodule.setup()
            length = len(self.datamodule.train_dataloader().dataset)
            # Another trainer, for the schedule of the real one must be planned with the batch size found.
            trial = L.Trainer(
                accelerator=self.config.fit.trainer.accelerator,
                devices=self.config.fit.trainer.devices,
                default_root_dir=self.trainer.default_root_dir,
                precision=self.trainer.precision,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            self.datamodule.train_dataloader = self._each_twice
            try:
                Tuner(trial).scale_batch_size(
                    self.model,
                    datamodule=self.datamodule,
                    init_val=min(began, length),
                    max_trials=DOUBLINGS + 1,
                    max_val=began * 2**DOUBLINGS + 1,  # what reaches it is taken without a trial
                )
            except ValueError as error:
                if self.datamodule.batch_size > 0:
                    raise
                raise torch.OutOfMemoryError("not even one picture fits") from error
            finally:
                del self.datamodule.train_dataloader
            found = min(self.datamodule.batch_size, length)
            before, now = (self._steps(batch_size) for batch_size in (began, found))
            # The checkpoint, and with it the model file, tells what was trained with.
            self.datamodule.hparams["batch_size"] = found
            print(f"batch size: {found}")
            if now < before:
                print(
                    f"an epoch has {now} steps now and had {before}, and a net learns by steps: give "
                    f"--trainer.max_epochs {before / now:.0f} times more"
                )

    def _each_twice(self) -> DataLoader[tuple[Tensor, ...]]:
        """A loader with each crop twice: of a batch of all there are, Lightning forgets that it failed."""
        own = type(self.datamodule).train_dataloader(self.datamodule)
        return DataLoader(ConcatDataset([own.dataset, own.dataset]), own.batch_size, shuffle=True)

    def _steps(self, batch_size: int) -> int:
        """Steps of an epoch with batches of this size, which stays."""
        self.datamodule.batch_size = batch_size
        return len(self.datamodule.train_dataloader())

    def after_fit(self) -> None:
        """Export what was trained, where Lightning has written everything else."""
        if self.trainer.fast_dev_run:
            return
        checkpoint = Path(self.trainer.checkpoint_callback.best_model_path)
        self.exported = checkpoint.with_name(f"{self.model.TASK}.onnx")
        if self.trainer.is_global_zero:
            export(checkpoint, self.exported, calibration=self.calibration, data=self.datamodule)


def computes_in_bf16() -> bool:
    """Whether this processor has instructions for bf16; without, torch emulates it, far slower than fp32."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # torch has no public name for it


def gpu_computes_in_bf16() -> bool:
    """Whether a GPU of NVIDIA's has instructions for bf16, as from Ampere on; on others torch emulates it."""
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported(including_emulation=False)


def running_average(average: Tensor, current: Tensor, updates: Tensor) -> Tensor:
    """Exponential moving average (EMA) over a tenth of the steps so far, or the last 500.

    With one fixed decay, a run of a few hundred steps would end as little more than what it started from.
    """
    decay = torch.clamp((1 + updates) / (10 + updates), max=DECAY)
    return decay * average + (1 - decay) * current


def fit() -> None:
    """Train as the command line says: ``fit --config …`` and whatever else Lightning's ``fit`` takes.

    ``last.ckpt`` is written after every epoch and holds the running average of the weights (EMA) beside the
    current ones. The last epoch's average is exported, beside it: nothing is chosen by the validation score.

    Raises:
        DataError: the data set, or what to start from, cannot be used; or memory is out.
        ExportError: the trained net is not fit to be exported.
    """
    # What Lightning warns of, that the arguments hide those of sys.argv, cannot happen: they begin with them.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    arguments = sys.argv[1:]
    try:
        measured, again = train(arguments)
        if again:
            print(f"{measured} is measured; now the same training with the validation part, too", flush=True)
            gc.collect()  # or the pictures of the first would lie in memory, too
            final, _ = train([*arguments, *again], calibration=measured)
            print(f"measured: {measured}\nfinal, calibrated by it: {final}")
    except (RuntimeError, MemoryError) as error:
        is_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if is_memory or any(text in str(error) for text in OUT_OF_MEMORY):
            raise DataError(
                "out of memory: halve --data.batch_size, lower --data.size (signs) or --data.crop_hw and "
                "--data.size_hw (masks), or let --find_batch_size true find the largest batch that fits"
            ) from error
        raise
    except MisconfigurationException as error:  # Lightning's word for options that do not go together
        raise DataError(str(error)) from error


def train(arguments: list[str], *, calibration: Path | None = None) -> tuple[Path | None, list[str]]:
    """Train once; the exported model, and what to add to the arguments for the second training, if any."""
    done = _CommandLine(arguments, calibration=calibration)
    if calibration or not (done.exported and done.config.fit.refit):
        return done.exported, []
    batch_size = ["--find_batch_size=false", f"--data.batch_size={done.datamodule.batch_size}"]
    return done.exported, ["--refit=false", "--data.train_on_val=true", "--ckpt_path=null", *batch_size]
