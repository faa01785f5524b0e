"""Crops of street pictures to learn from: where they are cut, and what is done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from perception.frames import Frame
from training.detection.augment import spoil
from training.detection.paste import CutOut, paste
from training.detection.targets import Boxes, target

AROUND_SIGN = 0.6  # share of the crops
NEAR = 0.2  # of those: with the sign as large as before a small car
NEAR_PX = (70.0, 240.0)  # width of such a sign
AROUND_MINED = 0.2  # of the crops, once there are any
OFF_CENTER = 0.42  # of the crop's side, as far as a sign may be from its middle
MINED_OFF_CENTER = 0.4
LEAST_WIDTH = 9.0  # px of the sign that a crop is cut around
STRETCH = 0.12  # largest change of width to height, as a logarithm

Mined = NDArray[np.float32]


class Crops(Dataset[tuple[Tensor, Tensor]]):
    """Crop number i of a training: the same for the same seed, whichever process makes it.

    An item is a crop (S, S, 3) uint8 BGR and what the net should say of it, see :func:`target`.

    Args:
        frames: (H, W, 3) uint8 BGR each.
        boxes: (M, 4) xyxy px of the signs in each.
        signs: to paste; none are pasted if it is empty.
        side: of a crop, px.
        scale: pictures are scaled by a factor drawn log-uniformly between these two.
        pasted: share of the crops that signs are pasted into.
        pasted_px: the smallest and the largest of these.
        count: of an epoch.
        seed: of all choices.

    Attributes:
        mined: (M, 4) number of the picture, x, y and score of what the net took for a sign.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        boxes: Sequence[Boxes],
        signs: list[CutOut],
        *,
        side: int,
        scale: tuple[float, float],
        pasted: float,
        pasted_px: tuple[float, float],
        count: int,
        seed: int,
    ) -> None:
        self.frames, self.boxes, self.signs = frames, boxes, signs
        self.side, self.scale = side, scale
        self.pasted, self.pasted_px = pasted, pasted_px
        self.count, self.seed = count, seed
        self.mined: Mined = np.empty((0, 4), np.float32)
        self._signs_at = [(i, number) for i, own in enumerate(boxes) for number in range(len(own))]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        crop, boxes = self.cut(rng)
        if self.signs and rng.random() < self.pasted:
            boxes = paste(crop, boxes, self.signs, rng, size_px=self.pasted_px)
        crop = spoil(crop, rng)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
            boxes = boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (self.side, 0, self.side, 0)
        return torch.from_numpy(np.ascontiguousarray(crop)), torch.from_numpy(target(boxes, self.side))

    def cut(self, rng: np.random.Generator) -> tuple[Frame, Boxes]:
        """A crop and the boxes in it, which may reach beyond."""
        picture, x, y, scale = self.aim(rng)
        frame, side = self.frames[picture], self.side
        height, width = frame.shape[:2]
        stretch = math.exp(rng.uniform(-STRETCH, STRETCH)) if rng.random() < 0.5 else 1.0
        wide, high = min(width, round(side / scale * stretch)), min(height, round(side / scale))
        left, top = (
            int(min(max(middle - size / 2, 0), limit - size))
            for middle, size, limit in ((x, wide, width), (y, high, height))
        )
        part = frame[top : top + high, left : left + wide]
        how = cv2.INTER_AREA if side < wide else cv2.INTER_LINEAR
        crop = (
            part.copy() if (wide, high) == (side, side) else cv2.resize(part, (side, side), interpolation=how)
        )
        moved = (self.boxes[picture] - (left, top, left, top)) * (
            side / wide,
            side / high,
            side / wide,
            side / high,
        )
        return np.asarray(crop, np.uint8), moved.astype(np.float32)

    def aim(self, rng: np.random.Generator) -> tuple[int, float, float, float]:
        """Picture, middle and scale of a crop: around a sign, around what looked like one, or anywhere."""
        low, high = self.scale
        scale, chance = math.exp(rng.uniform(math.log(low), math.log(high))), rng.random()
        if chance < AROUND_SIGN and self._signs_at:
            picture, number = self._signs_at[int(rng.integers(len(self._signs_at)))]
            x1, y1, x2, y2 = self.boxes[picture][number].tolist()
            if rng.random() < NEAR:
                scale = math.exp(rng.uniform(*np.log(NEAR_PX))) / (x2 - x1)
            scale = max(self._fill(picture, scale), LEAST_WIDTH / (x2 - x1))
            reach = OFF_CENTER * self.side / scale
            return picture, *_near((x1 + x2) / 2, (y1 + y2) / 2, reach, rng), scale
        if AROUND_SIGN <= chance < AROUND_SIGN + AROUND_MINED and len(self.mined):
            picture, x, y = self._mined(rng)
            scale = self._fill(picture, scale)
            return picture, *_near(x, y, MINED_OFF_CENTER * self.side / scale, rng), scale
        picture = int(rng.integers(len(self.frames)))
        height, width = self.frames[picture].shape[:2]
        return picture, rng.uniform(0, width), rng.uniform(0, height), self._fill(picture, scale)

    def _fill(self, picture: int, scale: float) -> float:
        """A scale at which the picture is no smaller than the crop."""
        return max(scale, float(self.side / min(self.frames[picture].shape[:2])))

    def _mined(self, rng: np.random.Generator) -> tuple[int, float, float]:
        """One of the mined places, the more often the surer the net was."""
        sums = np.cumsum(self.mined[:, 3].astype(np.float64) ** 2)
        row = min(int(np.searchsorted(sums, rng.random() * sums[-1])), len(sums) - 1)
        picture, x, y, _ = self.mined[row].tolist()
        return int(picture), x, y


def _near(x: float, y: float, reach: float, rng: np.random.Generator) -> tuple[float, float]:
    return x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)
