"""Training: Lightning's command line with the callbacks that every run has."""

from __future__ import annotations

import os
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningCLI

from training.data.images import DataError


class Provenance(Callback):
    """Keeps the seed in the checkpoint for the exported model to name; refuses to resume another schedule."""

    def on_save_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["seed"] = os.environ.get("PL_GLOBAL_SEED", "none")

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


def fit() -> None:
    """Train as the command line says: ``fit --config …`` and whatever else Lightning's ``fit`` takes.

    ``last.ckpt`` is written after every epoch and holds the running average of the weights (EMA) beside the
    current ones. The last epoch's average gets exported: nothing is chosen by the validation score.
    """
    every_epoch = ModelCheckpoint(filename="last", enable_version_counter=False, save_on_train_epoch_end=True)
    LightningCLI(
        L.LightningModule,
        L.LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_kwargs={"overwrite": True},
        trainer_defaults={
            "callbacks": [
                EMAWeightAveraging(decay=0.998),
                every_epoch,
                LearningRateMonitor(),
                Provenance(),
            ]
        },
    )
