"""Tracks of small cars, drawn while a net learns: any floor, any tape, any room, with an exact mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from perception.frames import Frame
from perception.spec import Color
from training.datasets.tracks import floors, light, scene

LABELS = ("floor", "line", "object", "elsewhere")
PALETTE: tuple[Color, ...] = ((0, 160, 0), (255, 255, 255), (200, 0, 0), (90, 90, 90))


def render(
    seed: int, size_hw: tuple[int, int], pictures: tuple[Path, ...] = ()
) -> tuple[Frame, NDArray[np.uint8]]:
    """Draw one track.

    Args:
        seed: the same gives the same scene.
        size_hw: of the picture, px.
        pictures: of floors, for half of the scenes; see :func:`training.datasets.tracks.floors.pictures_of`.

    Returns:
        Frame (H, W, 3) uint8 BGR, and mask (H, W) uint8: ids of LABELS, 255 where a line is too thin to tell.
    """
    rng = np.random.default_rng(seed)
    ideal, ids = scene.picture(scene.drawn(size_hw, rng, pictures), rng)
    return light.seen(light.exposed(ideal, rng), rng), ids


class RenderedTracks(Dataset[tuple[Tensor, Tensor]]):
    """As many scenes as wanted, others every time.

    Frames are (3, H, W) uint8 BGR, masks (H, W) uint8.

    Args:
        count: scenes an epoch.
        size_hw: of the pictures, px.
        pictures: folder with pictures of floors; None draws all floors.
    """

    def __init__(self, count: int, size_hw: tuple[int, int], pictures: str | None = None) -> None:
        self.count = count
        self.size_hw = size_hw
        self.pictures = floors.pictures_of(pictures)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        # torch's generator is part of a training's state, so that a resumed one draws what it would have.
        frame, mask = render(int(torch.randint(2**31, ())), self.size_hw, self.pictures)
        return torch.from_numpy(frame).permute(2, 0, 1), torch.from_numpy(mask)


def samples(count: int, size_hw: tuple[int, int], pictures: str | None = None) -> tuple[Tensor, Tensor]:
    """Always the same scenes: frames (N, 3, H, W) uint8 BGR and masks (N, H, W) uint8.

    Args:
        count: how many.
        size_hw: of the pictures, px.
        pictures: see :class:`RenderedTracks`.
    """
    found = floors.pictures_of(pictures)
    scenes = [render(seed, size_hw, found) for seed in range(count)]
    frames = np.array([frame for frame, _ in scenes], np.uint8).reshape(count, *size_hw, 3)
    masks = np.array([mask for _, mask in scenes], np.uint8).reshape(count, *size_hw)
    return torch.from_numpy(frames).permute(0, 3, 1, 2), torch.from_numpy(masks)
