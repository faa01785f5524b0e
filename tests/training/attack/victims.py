"""A victim without files: coloured crops, and a net that compares blue with green."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.attack.victim import Victim


@dataclass(frozen=True)
class Crop:
    """A crop whose blue and green differ by so much."""

    path: Path
    class_id: int
    lead: float


class Colors(Victim):
    """Blue against green.

    Args:
        leads: how far the true colour of each crop is above the other.
        sureness: factor on the logits.
    """

    labels = ("Blue", "Green")
    remarks = ()

    def __init__(self, leads: Sequence[float], *, sureness: float = 0.05) -> None:
        crops = [Crop(Path(f"{n:02d}.png"), n % 2, lead) for n, lead in enumerate(leads)]
        self.val = self.train = crops
        self.sureness = sureness

    def read(self, items: Sequence[Crop]) -> tuple[Tensor, Tensor]:
        frames = torch.full((len(items), 3, 16, 16), 100.0)
        for frame, item in zip(frames, items):
            frame[item.class_id] += item.lead
        return frames, torch.tensor([item.class_id for item in items])

    def logits(self, frames: Tensor) -> Tensor:
        return self.sureness * frames[:, :2].mean(dim=(2, 3))

    def answers(self, model: float, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
        """A file that adds so much to blue."""
        means = frames[..., :2].mean(axis=(1, 2)) + np.array([model, 0.0])
        return np.asarray(means.argmax(axis=1), np.int64)

    def write(self, folder: Path, attacked: dict[Path, NDArray[np.uint8]]) -> None:
        raise AssertionError("nothing is written here")
