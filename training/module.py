"""TaskModule: what the LightningModules of all tasks share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import lightning as L
from torch import nn

from training.checkpoint import load_matching
from training.datasets.images import require_labels
from training.split import FINGERPRINTS, require_same_split, warn_of_learnt


class TaskModule(L.LightningModule):
    """Makes its net for the classes of the data, and writes into checkpoints what it has learnt from.

    Attributes:
        TASK: key in the table of tasks.
        is_resumed: ``fit`` sets it: the weights come from a checkpoint, and not from where training starts.
        start_learnt_val: whether the weights that training started from have learnt from what validates.
        starts_whole: the weights that training starts from are a whole net for these classes.
        labels: class names, once the net is made.
        net: what is trained.
    """

    TASK: ClassVar[str]
    is_resumed = False
    start_learnt_val = False
    starts_whole = False
    labels: tuple[str, ...]
    net: nn.Module

    @abstractmethod
    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        """Make the net for the classes in a checkpoint."""

    @property
    def data(self) -> Any:
        """The data module that trains it now, a ``training.tasks.Data``."""
        return cast(Any, self.trainer).datamodule

    def start_from(self, weights: str | None, *, last: str, keeps_last_row: bool = False) -> None:
        """Load weights to start from, unless training is resumed.

        Args:
            weights: a ``.safetensors`` that ``export`` wrote; None leaves the net as it is.
            last: see :func:`load_matching`.
            keeps_last_row: likewise.

        Raises:
            DataError: the file cannot be used.
        """
        if not weights or self.is_resumed:
            return
        data = self.data
        theirs, self.starts_whole = load_matching(
            self.net, Path(weights), labels=self.labels, last=last, keeps_last_row=keeps_last_row
        )
        if not data.train_on_val:
            self.start_learnt_val = warn_of_learnt(theirs, data.data_set, kept_aside=data.kept_aside)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {
            "task": self.TASK,
            "labels": self.labels,
            "start_learnt_val": self.start_learnt_val,
        }
        checkpoint |= {name: getattr(self.data, name) for name in FINGERPRINTS if hasattr(self.data, name)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.start_learnt_val = checkpoint.get("start_learnt_val", False)
        if not hasattr(self, "net"):
            self.remake(checkpoint)
        else:
            require_labels(self.labels, tuple(checkpoint["labels"]), self.data.root)
            require_same_split(self.data, checkpoint)
