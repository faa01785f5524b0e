"""Measures of found boxes against true ones; the tests compare the average precision with COCO's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.boxes import overlaps

HIT = 0.5  # overlap (IoU) from which on a box is found
RECALLS = np.linspace(0, 1, 101)  # at which COCO takes the precision


def match(
    found: NDArray[np.floating], wanted: NDArray[np.floating], *, least: float = HIT
) -> NDArray[np.int64]:
    """Which true box each found one is.

    Args:
        found: (M, 4) xyxy, best first: each takes the true box that it overlaps most, if no better one has.
        wanted: (N, 4) xyxy.
        least: overlap that a hit needs.

    Returns:
        (M,) index of the true box, -1 for a false alarm.
    """
    which = np.full(len(found), -1)
    if not len(wanted):
        return which
    shares = overlaps(found, wanted)
    for row in np.flatnonzero((shares >= least).any(axis=1)):
        best = int(shares[row].argmax())
        if shares[row, best] >= least:
            which[row] = best
            shares[:, best] = -1.0
    return which


@dataclass(frozen=True, eq=False)
class Ranking:
    """All boxes that were found in a number of frames, best first.

    Attributes:
        scores: (M,).
        is_hit: (M,) whether each is a sign.
        signs: in all frames.
        frames: number of them.
    """

    scores: NDArray[np.float64]
    is_hit: NDArray[np.bool_]
    signs: int
    frames: int

    @classmethod
    def of(
        cls, frames: Iterable[tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]]
    ) -> Ranking:
        """Match frame by frame.

        Args:
            frames: of each, the boxes (M, 4) found, best first, their scores (M,), and the true boxes (N, 4).
        """
        scores, hits, signs, count = [np.empty(0)], [np.empty(0, bool)], 0, 0
        for boxes, own, wanted in frames:
            scores.append(np.asarray(own, np.float64))
            hits.append(match(boxes, wanted) >= 0)
            signs, count = signs + len(wanted), count + 1
        all_scores = np.concatenate(scores)
        order = np.argsort(-all_scores, kind="stable")
        return cls(all_scores[order], np.concatenate(hits)[order], signs, count)

    @property
    def recall(self) -> NDArray[np.float64]:
        """(M,) share of the signs that the boxes up to each one hit; 1 if there are no signs."""
        return np.cumsum(self.is_hit) / self.signs if self.signs else np.ones(len(self.scores))

    @property
    def alarms(self) -> NDArray[np.float64]:
        """(M,) false alarms a frame among the boxes up to each one."""
        return np.cumsum(~self.is_hit) / max(self.frames, 1)

    @property
    def average_precision(self) -> float:
        """COCO's: the mean over 101 recalls of the best precision there or beyond; NaN without signs."""
        if not self.signs:
            return float("nan")
        precision = np.cumsum(self.is_hit) / np.arange(1, len(self.scores) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(self.recall, RECALLS)
        return float(np.append(best, 0.0)[places].mean())

    def alarms_at(self, recall: float) -> float:
        """False alarms a frame where this share of the signs is found; NaN if it is not reached."""
        place = int(np.searchsorted(self.recall, recall))
        return float(self.alarms[place]) if place < len(self.scores) else float("nan")

    def recall_at(self, alarms: float) -> float:
        """Share of the signs found at so many false alarms a frame at most."""
        within = np.flatnonzero(self.alarms <= alarms)
        return float(self.recall[within[-1]]) if len(within) else 0.0
