"""SignTask: how a sign classifier learns and is measured."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

from training.nets.signs import SignNet
from training.tasks.optimizer import one_cycle


class SignTask(L.LightningModule):
    """Cross entropy over the known classes and background.

    The number of classes comes from the data, so the net is made when training starts.

    Args:
        width: of the net, see :class:`SignNet`.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        label_smoothing: share of the target that is spread over all classes.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        lr: float = 4e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.05,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def configure_model(self) -> None:
        if not hasattr(self, "net"):
            self._make(tuple(self.trainer.datamodule.labels))

    def _make(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.net = SignNet(len(labels), width=self.hparams.width).to(memory_format=torch.channels_last)
        self.accuracy = MulticlassAccuracy(len(labels), average="micro", ignore_index=len(labels))
        self.known_auroc = BinaryAUROC(thresholds=1000)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["task"], checkpoint["labels"] = "signs", self.labels

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if not hasattr(self, "net"):
            self._make(checkpoint["labels"])

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, classes + 1) logits."""
        return self.net(frames.to(memory_format=torch.channels_last))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        loss = F.cross_entropy(self(frames).float(), ids, label_smoothing=self.hparams.label_smoothing)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, ids = batch
        logits = self(frames).float()
        self.accuracy(logits[:, : len(self.labels)], ids)
        self.log("val_accuracy", self.accuracy, on_epoch=True, prog_bar=True)
        if self.trainer.datamodule.background:
            self.known_auroc(known_logit(logits), (ids < len(self.labels)).long())
            self.log("val_known_auroc", self.known_auroc, on_epoch=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, lr=self.hparams.lr, weight_decay=self.hparams.weight_decay)


def known_logit(logits: Tensor) -> Tensor:
    """(N, classes + 1) logits to (N,) log odds that a known sign is shown at all."""
    return logits[:, :-1].logsumexp(dim=1) - logits[:, -1]
