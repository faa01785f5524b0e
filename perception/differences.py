"""Differences: where two results about the same frame disagree, pixel by pixel or thing by thing.

The two may be of two models, or the first may be the truth. Classes are compared by their names, so models
with other classes, or the same ones in another order, can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import boxes
from perception.model import LabelsPixels, NamesThings, Placed, Result, Sighting
from perception.tasks import UNLABELLED

NOTHING = ""  # the label of what one of the two has not: no thing there, or a pixel without a class
UNKNOWN = "unknown"  # of a thing that one of the two names, and the other one sees and cannot name

Pairs = Mapping[tuple[str, str], int]

_OVERLAP = 0.5  # intersection over union of two boxes that are of one thing


@dataclass(frozen=True)
class Difference:
    """How two results differ.

    Attributes:
        pairs: (label of the first, label of the second) → pixels, or things; what both say is in it, too.
        where: (H, W) bool, the pixels that differ; None for things.
    """

    pairs: Pairs
    where: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)

    @property
    def count(self) -> int:
        """Pixels or things that differ."""
        return sum(number for (first, second), number in self.pairs.items() if first != second)

    @property
    def share(self) -> float:
        """What differs, as a share of all pixels or things, 0…1."""
        return self.count / (sum(self.pairs.values()) or 1)


def between(first: Result, second: Result) -> Difference | None:
    """How the second result differs from the first; None if they give neither pixels nor things a name."""
    if isinstance(first, LabelsPixels) and isinstance(second, LabelsPixels):
        return _of_pixels(first, second)
    if isinstance(first, NamesThings) and isinstance(second, NamesThings):
        return Difference(_of_things(first.sightings(), second.sightings()))
    return None


def _of_pixels(first: LabelsPixels, second: LabelsPixels) -> Difference:
    names = list(dict.fromkeys((*first.labels, *second.labels)))
    size_hw = second.class_ids.shape
    ids = [_by_name(_scaled(mask.class_ids, size_hw), mask.labels, names) for mask in (first, second)]
    count = len(names) + 1
    both = np.bincount((ids[0].astype(np.int32) * count + ids[1]).ravel(), minlength=count * count)
    labels = [*names, NOTHING]
    pairs = {
        (labels[index // count], labels[index % count]): int(both[index]) for index in np.flatnonzero(both)
    }
    return Difference(pairs, ids[0] != ids[1])


def _by_name(class_ids: NDArray[np.uint8], labels: Sequence[str], names: Sequence[str]) -> NDArray[np.uint16]:
    """The ids as places in a list of names; the place behind its end is that of unlabelled pixels."""
    table = np.full(UNLABELLED + 1, len(names), np.uint16)
    table[: len(labels)] = [names.index(label) for label in labels]
    return table[class_ids]


def _scaled(class_ids: NDArray[np.uint8], size_hw: tuple[int, ...]) -> NDArray[np.uint8]:
    if class_ids.shape == size_hw:
        return class_ids
    height, width = size_hw
    nearest = cv2.resize(class_ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(nearest, np.uint8)


def _of_things(first: Sequence[Sighting], second: Sequence[Sighting]) -> Pairs:
    """Pairs of things by their boxes; what neither names is left out."""
    pairs: dict[tuple[str, str], int] = {}
    partners = _partners(first, second)
    for index, thing in enumerate(first):
        other = second[partners[index]] if index in partners else None
        if thing or other:
            key = _label(thing), NOTHING if other is None else _label(other)
            pairs[key] = pairs.get(key, 0) + 1
    for index in set(range(len(second))) - set(partners.values()):
        if second[index]:
            key = NOTHING, _label(second[index])
            pairs[key] = pairs.get(key, 0) + 1
    return pairs


def _partners(first: Sequence[Sighting], second: Sequence[Sighting]) -> Mapping[int, int]:
    corners = [[_box(thing) for thing in things] for things in (first, second)]
    if any(None in listed for listed in corners):  # whole frames, of which each side has one
        return {index: index for index in range(min(len(first), len(second)))}
    there, seen = (np.asarray(listed, np.float64).reshape(-1, 4) for listed in corners)
    return boxes.pairs(there, seen, _OVERLAP)


def _box(thing: Sighting) -> boxes.Box | None:
    return thing.box if isinstance(thing, Placed) else None


def _label(thing: Sighting) -> str:
    return thing.label if thing else UNKNOWN
