"""Steadiness: how much of what a model says changes from one frame to the next.

The camera's own movement changes a mask as well. So the figures of two models compare on the same drive only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.model import Followed, LabelsPixels, NamesThings, Result
from perception.samples import Mean


@dataclass(frozen=True)
class Flicker:
    """What changed between neighbouring frames.

    Attributes:
        pixels: mean share of the pixels that changed their class, 0…1; None without masks of neighbours.
        label_changes: how often a thing that is followed got another label, or lost or gained one; None
            where nothing was followed from one frame into the next.
        neighbours: pairs of frames that were compared.
    """

    pixels: float | None
    label_changes: int | None
    neighbours: int


class Steadiness:
    """Compares each result of a stream with the one before."""

    def __init__(self) -> None:
        self._pixels = Mean()
        self._changes = self._followed = self._neighbours = 0
        self._mask: NDArray[np.uint8] | None = None
        self._labels: Mapping[int, str] = {}
        self._has_last = False

    def pause(self) -> None:
        """The next result is no neighbour of the last one: a bad frame is between them, or a gap."""
        self._has_last = False

    def add(self, result: Result) -> float | None:
        """Take in the next result.

        Returns:
            The share of its pixels that have changed their class, 0…1; None without a neighbour or a mask.
        """
        mask = result.class_ids if isinstance(result, LabelsPixels) else None
        labels = _labels(result)
        share = None
        if self._has_last:
            self._neighbours += 1
            if mask is not None and self._mask is not None and mask.shape == self._mask.shape:
                share = float(np.count_nonzero(mask != self._mask) / mask.size)
                self._pixels.add(share)
            for followed in labels.keys() & self._labels.keys():
                self._followed += 1
                self._changes += labels[followed] != self._labels[followed]
        self._mask, self._labels, self._has_last = mask, labels, True
        return share

    def flicker(self) -> Flicker:
        """What has changed so far."""
        changes = self._changes if self._followed else None
        return Flicker(self._pixels.value, changes, self._neighbours)


def _labels(result: Result) -> Mapping[int, str]:
    if not isinstance(result, NamesThings):
        return {}
    return {thing.id: thing.label for thing in result.sightings() if isinstance(thing, Followed)}
