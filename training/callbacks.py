"""What every training does beside the steps: it averages the weights, and it can be resumed."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor

from training import internals
from training.datasets.images import DataError
from training.distributed import gathered

DECAY = 0.998  # of the running average of the weights, in the long run


class RunningAverage(WeightAveraging):
    """A running average of the weights, kept on the device of the net."""

    def __init__(self) -> None:
        super().__init__(avg_fn=running_average)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        internals.move_average(self, pl_module.device)

    @property
    def averaged(self) -> Any:
        """A copy of the module that has the averaged weights, while it is trained."""
        return internals.averaged(self)


class Resumable(Callback):
    """Keeps the seed and the state of the random numbers in the checkpoint, and restores that state.

    Each process has a state of its own, for the processor and for the GPU on which it trains. The seed is
    for the spec of the exported model.
    """

    random: dict[str, Any] | None = None  # state of the random numbers in the checkpoint that is resumed

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        seed = internals.global_seed()
        checkpoint["seed"] = "none" if seed is None else str(seed)
        device = pl_module.device
        cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        states = gathered({"cpu": torch.get_rng_state(), "cuda": cuda})  # the first process writes them all
        checkpoint["random"], checkpoint["random_of_others"] = states[0], states[1:]

    def on_load_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Refuse another schedule, or another number of processes.

        Raises:
            DataError: this training would have another number of steps, or of processes.
        """
        others = checkpoint.get("random_of_others", [])
        if len(others) + 1 != trainer.world_size:
            raise DataError(
                f"the number of processes was {len(others) + 1} in the checkpoint and is "
                f"{trainer.world_size} in this run; resume with --trainer.devices and --trainer.num_nodes as "
                "it began"
            )
        # A one-cycle schedule ends after its planned steps, and OneCycleLR fails only when it gets there.
        planned, wanted = internals.planned_steps(checkpoint), trainer.estimated_stepping_batches
        if planned != wanted:
            raise DataError(
                f"the checkpoint's schedule has {planned} steps and this run would have {wanted}; "
                "resume with the data, batch size and epochs it began with"
            )
        self.random = [checkpoint.get("random"), *others][trainer.global_rank]
        if not self.random:
            print(
                "this checkpoint of an earlier release lacks the state of the random numbers: the crops of "
                "the first epochs come again"
            )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # If it began from the seed again, a resumed run would repeat the crops of its first epochs.
        if self.random:
            torch.set_rng_state(self.random["cpu"])
            if self.random["cuda"] and pl_module.device.type == "cuda":
                torch.cuda.set_rng_state(self.random["cuda"][0], pl_module.device)
            internals.skip_loader_seed()


def running_average(average: Tensor, current: Tensor, updates: Tensor) -> Tensor:
    """Exponential moving average (EMA) over a tenth of the steps so far, or over the last 500.

    With one fixed decay, a run of a few hundred steps would end close to its start.
    """
    decay = torch.clamp((1 + updates) / (10 + updates), max=DECAY)
    return decay * average + (1 - decay) * current
