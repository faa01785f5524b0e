"""MaskTask: how a segmentation net learns and is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassJaccardIndex

from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets.images import DataError
from training.losses import class_weights, soft_iou
from training.module import TaskModule
from training.optimizer import one_cycle
from training.segmentation import net as segnet


class MaskTask(TaskModule):
    """Weighted cross entropy over labelled pixels, and the overlap of each class.

    A step learns from one pixel of each 2×2 window, always the same one of the four, drawn anew each time.

    Classes and weights come from the data, so the net is made when training starts.

    Args:
        net: the class in training.segmentation.net.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        muon: inner convolutions learn by :class:`Muon` instead of AdamW.
        overlap: weight of the loss on each class's overlap, see :func:`soft_iou`.
        start: weights to start from, as ``export`` writes them (``.safetensors``).
        checkpointing: what SegNet computes again in the backward pass to save memory, see :class:`SegNet`;
            None leaves the choice to the net. SegNetCompact computes nothing again.
    """

    TASK = "segmentation"
    palette: tuple[Color, ...]
    net: segnet.SegNetCompact | segnet.SegNet
    weights: Tensor

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
        self.net_name = net
        self.lr = lr
        self.weight_decay = weight_decay
        self.muon = muon
        self.overlap = overlap
        self.start = start
        self.checkpointing = checkpointing

    def configure_model(self) -> None:
        if hasattr(self, "net"):
            return
        self.make_net(tuple(self.data.labels), tuple(self.data.palette))
        last = next(name for name, layer in self.net.named_modules() if layer is self.net.classify)
        self.start_from(self.start, last=last)

    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        self.make_net(checkpoint["labels"], checkpoint["palette"])

    def on_fit_start(self) -> None:
        self.weights.copy_(class_weights(self.data.pixel_shares()))

    def make_net(self, labels: tuple[str, ...], palette: tuple[Color, ...]) -> None:
        """Make the net and its measure for these classes.

        Raises:
            DataError: the net cannot compute anything again.
        """
        self.labels, self.palette = labels, palette
        if self.net_name == "SegNet":
            options = {"checkpointing": self.checkpointing} if self.checkpointing else {}
            self.net = segnet.SegNet(len(labels), **options)
        elif self.checkpointing:
            raise DataError(f"{self.net_name} computes nothing again; leave out --model.checkpointing")
        else:
            self.net = segnet.SegNetCompact(len(labels))
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.register_buffer("weights", torch.ones(len(labels)), persistent=False)
        self.miou = MulticlassJaccardIndex(len(labels), ignore_index=UNLABELLED)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["palette"] = self.palette

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, classes, H, W) logits."""
        logits: Tensor = self.net(frames.to(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        row, column = torch.randint(2, (2,)).tolist()
        logits = self.net.sampled(frames.to(memory_format=torch.channels_last), row, column).float()
        ids = ids[:, row::2, column::2]
        if not bool((ids != UNLABELLED).any()):
            nothing: Tensor = logits.sum() * 0.0  # the mean over no pixel would be no number
            return nothing
        loss = F.cross_entropy(logits, ids, self.weights, ignore_index=UNLABELLED)
        if self.overlap:
            loss = loss + self.overlap * soft_iou(logits, ids)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, ids = batch
        self.miou(self(frames).argmax(dim=1), ids)
        self.log("val_miou", self.miou, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, lr=self.lr, weight_decay=self.weight_decay, muon=self.muon)
