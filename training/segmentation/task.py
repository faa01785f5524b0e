"""MaskTask: how a segmentation net learns and is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassJaccardIndex

from perception.spec import Color
from perception.tasks import UNLABELLED
from training.checkpoint import load_matching
from training.datasets.images import DataError, require_labels
from training.losses import class_weights, soft_iou
from training.optimizer import one_cycle
from training.segmentation import net as segnet
from training.split import require_same_split, warn_of_learnt


class MaskTask(L.LightningModule):
    """Weighted cross entropy over all labelled pixels, and the overlap of each class.

    Classes and weights come from the data, so the net is made when training starts.

    Args:
        net: the class in training.segmentation.net.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        muon: inner convolutions learn by :class:`Muon`, not by AdamW.
        overlap: weight of the loss that looks at each class's overlap, see :func:`soft_iou`.
        start: weights to start from, as ``export`` writes them (``.safetensors``).
        checkpointing: what the net computes again in the backward pass to save memory, see :class:`SegNet`;
            None leaves it to the net; SegNetCompact has no such choice.
    """

    TASK = "segmentation"
    is_resumed = False  # the weights come from a checkpoint then, and not from ``start``
    start_learnt_val = False  # whether ``start`` has learnt from what validates here

    def __init__(
        self,
        *,
        net: Literal["SegNetCompact", "SegNet"] = "SegNetCompact",
        lr: float = 2e-3,
        weight_decay: float = 0.01,
        muon: bool = True,
        overlap: float = 0.5,
        start: str | None = None,
        checkpointing: Literal["none", "norms", "stages"] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def configure_model(self) -> None:
        if not hasattr(self, "net"):
            data = self.trainer.datamodule
            self._make(tuple(data.labels), tuple(data.palette))
            if self.hparams.start and not self.is_resumed:
                last = next(name for name, layer in self.net.named_modules() if layer is self.net.classify)
                theirs = load_matching(self.net, Path(self.hparams.start), labels=self.labels, last=last)
                if not data.train_on_val:
                    self.start_learnt_val = warn_of_learnt(
                        theirs, data.masks.name, kept_aside=data.kept_aside
                    )

    def on_fit_start(self) -> None:
        self.weights.copy_(class_weights(self.trainer.datamodule.pixel_shares()))

    def _make(self, labels: tuple[str, ...], palette: tuple[Color, ...]) -> None:
        self.labels, self.palette = labels, palette
        options = {"checkpointing": self.hparams.checkpointing} if self.hparams.checkpointing else {}
        if options and self.hparams.net != "SegNet":
            raise DataError(f"{self.hparams.net} computes nothing again; leave out --model.checkpointing")
        net = getattr(segnet, self.hparams.net)(len(labels), **options)
        self.net = net.to(memory_format=torch.channels_last)
        self.register_buffer("weights", torch.ones(len(labels)), persistent=False)
        self.miou = MulticlassJaccardIndex(len(labels), ignore_index=UNLABELLED)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {"task": self.TASK, "labels": self.labels, "palette": self.palette}
        checkpoint["kept_aside"] = self.trainer.datamodule.kept_aside
        checkpoint["start_learnt_val"] = self.start_learnt_val

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.start_learnt_val = checkpoint.get("start_learnt_val", False)
        if not hasattr(self, "net"):
            self._make(checkpoint["labels"], checkpoint["palette"])
        else:
            data = self.trainer.datamodule
            require_labels(self.labels, tuple(checkpoint["labels"]), data.root)
            require_same_split(data, checkpoint)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, classes, H, W) logits."""
        return self.net(frames.to(memory_format=torch.channels_last))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        logits = self(frames).float()
        if not bool((ids != UNLABELLED).any()):
            return logits.sum() * 0.0  # of no pixel, the mean would be no number
        loss = F.cross_entropy(logits, ids, self.weights, ignore_index=UNLABELLED)
        if self.hparams.overlap:
            # A quarter of the pixels tells the overlap as well, in a fifth of the step's time less.
            loss = loss + self.hparams.overlap * soft_iou(logits[..., ::2, ::2], ids[..., ::2, ::2])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, ids = batch
        self.miou(self(frames).argmax(dim=1), ids)
        self.log("val_miou", self.miou, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(
            self, lr=self.hparams.lr, weight_decay=self.hparams.weight_decay, muon=self.hparams.muon
        )
