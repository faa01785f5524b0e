"""Victim: what a task adds to attacks: its pictures as a tensor, and how its model files answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.opened import Opened


class Victim(ABC):
    """A net that is attacked and its data set; classifiers have one.

    Attributes:
        labels: of the classes that a picture can be taken for.
        val: what is attacked to measure.
        train: what a patch is learnt from, and what is attacked to enrich a data set; never one of ``val``.
        remarks: on the data set and what the net has learnt from.
    """

    labels: tuple[str, ...]
    val: Sequence[Any]
    train: Sequence[Any]
    remarks: tuple[str, ...]

    @abstractmethod
    def __init__(self, opened: Opened, data: Path, path: Path) -> None:
        """Read the data set.

        Args:
            opened: the net.
            data: root of the data set.
            path: what it was opened from; if that is a model file, its own weights are attacked.

        Raises:
            DataError: it cannot be read or has other classes, or the model file is of another net.
        """

    @abstractmethod
    def read(self, items: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, H, W) float32 BGR in 0…255 as the net takes them, and class ids (N,)."""

    @abstractmethod
    def logits(self, frames: Tensor) -> Tensor:
        """(N, K) of ``labels``."""

    @abstractmethod
    def answers(self, model: Any, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(N,) class ids that a model file gives for pictures (N, H, W, 3)."""

    @abstractmethod
    def write(self, folder: Path, attacked: dict[Path, NDArray[np.uint8]]) -> None:
        """Write a data set for ``fit``: all pictures, and attacked ones beside those to learn from."""

    def path(self, item: Any) -> Path:
        """Of a picture."""
        found: Path = item.path
        return found
