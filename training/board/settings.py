"""The settings of a training in TensorBoard's table (HPARAMS), beside its scores."""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger

from training.checkpoint import own_parameters
from training.run import flat

RATES = "lr-"  # what Lightning calls the rates of learning, which are no scores


class Settings(Callback):
    """Writes the settings once, as soon as there are scores; TensorBoard takes these from their curves."""

    is_written = False

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._write(trainer, pl_module)

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._write(trainer, pl_module)  # of a training that never validates

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        self._write(trainer, pl_module)

    def _write(self, trainer: Any, module: L.LightningModule) -> None:
        scores = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if not name.startswith(RATES)
        }
        if self.is_written or not scores or not isinstance(trainer.logger, TensorBoardLogger):
            return
        groups = {"model": module.hparams, "data": trainer.datamodule.hparams}
        settings = {
            f"{group}.{name}": value
            for group, parameters in groups.items()
            for name, value in flat(own_parameters(parameters)).items()
        }
        # The scores are points of their curves, too: at the step at which Lightning has written them.
        trainer.logger.log_hyperparams(settings, scores, max(0, trainer.global_step - 1))
        self.is_written = True
