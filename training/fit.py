"""Training: Lightning's command line with the callbacks that every run has."""

from __future__ import annotations

import os
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningCLI


class RecordSeed(Callback):
    """Keeps the seed in the checkpoint, so that the exported model can name it."""

    def on_save_checkpoint(
        self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["seed"] = os.environ.get("PL_GLOBAL_SEED", "none")


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
                RecordSeed(),
            ]
        },
    )
