"""Moved: where the pixels of a corrupted frame come from, so that its truth can go with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED

NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Moved:
    """Where the pixels of a corrupted frame come from.

    Attributes:
        rows: (H,) which row of the first frame each row shows; NOWHERE where it shows none.
        shift: (H,) px by which each row is moved to the right.
        hidden: (H, W) what something covers.
    """

    rows: NDArray[np.int64]
    shift: NDArray[np.float64]
    hidden: NDArray[np.bool_]

    @classmethod
    def nothing(cls, size_hw: tuple[int, int]) -> Moved:
        """Every pixel is where it was."""
        return cls(np.arange(size_hw[0]), np.zeros(size_hw[0]), np.zeros(size_hw, np.bool_))

    def mask(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) class ids at their new places, 255 for pixels that show nothing of the first frame."""
        width = ids.shape[1]
        columns = np.rint(np.arange(width) - self.shift[:, None]).astype(np.int64)
        is_lost = (self.rows[:, None] == NOWHERE) | (columns < 0) | (columns >= width) | self.hidden
        moved = ids[np.maximum(self.rows, 0)[:, None], np.clip(columns, 0, width - 1)]
        return np.where(is_lost, np.uint8(UNLABELLED), moved)

    def boxes(self, boxes: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Boxes around what they held.

        Args:
            boxes: (M, 4) xyxy px of the first frame.

        Returns:
            (M, 4) xyxy px of the corrupted frame, and (M,) which share 0…1 of each is still to be seen; the
            box of what is gone stays where it was.
        """
        moved = [self._box(*map(float, box)) for box in boxes]
        xyxy = np.array([box for box, _ in moved], np.float32).reshape(-1, 4)
        return xyxy, np.array([seen for _, seen in moved], np.float64)

    def _box(
        self, x1: float, y1: float, x2: float, y2: float
    ) -> tuple[tuple[float, float, float, float], float]:
        height, width = self.hidden.shape
        places = np.flatnonzero((self.rows != NOWHERE) & (self.rows + 1 > y1) & (self.rows < y2))
        if not len(places):
            return (x1, y1, x2, y2), 0.0
        own, shift = self.rows[places], self.shift[places]
        tops, bottoms = np.maximum(own, y1), np.minimum(own + 1, y2)
        lefts, rights = np.clip(x1 + shift, 0, width), np.clip(x2 + shift, 0, width)
        area = (min(x2, width) - max(x1, 0)) * (min(y2, height) - max(y1, 0))
        seen = float(((rights - lefts) * (bottoms - tops)).sum()) / max(area, 1e-6)
        left, right = float(lefts.min()), float(rights.max())
        covered = self.hidden[places, int(left) : max(int(left) + 1, round(right))]
        box = (left, float((tops + places - own).min()), right, float((bottoms + places - own).max()))
        return box, min(1.0, seen) * float(1.0 - covered.mean())
