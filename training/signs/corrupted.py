"""How a sign classifier reads corrupted crops, and which of those that it reads it takes for known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception import SignClassifier
from training.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.datasets.images import SignImage
from training.datasets.pictures import read_bgr
from training.evaluate.evaluation import batches, without_nan
from training.signs.numbers import numbers_mistaken


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Answers for N crops under each of C corruptions at S severities.

    Attributes:
        wanted: (N,) true class ids.
        given: (C, S, N) the model's.
        is_known: (C, S, N) whether ``known`` reaches the threshold.
    """

    wanted: NDArray[np.int64]
    given: NDArray[np.int64]
    is_known: NDArray[np.bool_]

    def accuracy(self) -> NDArray[np.float64]:
        """(C, S) share of the crops that are read right."""
        return np.asarray((self.given == self.wanted).mean(axis=2))

    def known(self) -> NDArray[np.float64]:
        """(C, S) share of the crops read right that are taken for known; NaN where none is read right."""
        right = self.given == self.wanted
        counts = right.sum(axis=2)
        return np.where(counts, (right & self.is_known).sum(axis=2) / np.maximum(counts, 1), np.nan)

    def figures(self) -> dict[str, float]:
        """The means of all corruptions and severities."""
        known = self.known()
        return {
            "corrupted_accuracy": float(self.accuracy().mean()),
            "corrupted_known": float(np.nanmean(known)) if np.isfinite(known).any() else 0.0,
        }

    def details(self) -> dict[str, dict[str, list[float | None]]]:
        """Accuracy and share of the known by corruption, one value a severity."""
        return {
            "corruptions": dict(zip(CORRUPTIONS, map(without_nan, self.accuracy()))),
            "corruptions_known": dict(zip(CORRUPTIONS, map(without_nan, self.known()))),
        }

    def numbers(self, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Numbers read as others by corruption, all severities together; see :func:`numbers_mistaken`."""
        wanted = np.tile(self.wanted, len(SEVERITIES))
        return {
            name: numbers_mistaken(wanted, given.ravel(), labels)
            for name, given in zip(CORRUPTIONS, self.given)
        }


def corrupted(classify: SignClassifier, images: Sequence[SignImage]) -> Corrupted:
    """Run the model on corrupted crops; every crop has noise of its own, the same in every run."""
    shape = (len(CORRUPTIONS), len(SEVERITIES), len(images))
    given, is_known = np.empty(shape, np.int64), np.empty(shape, np.bool_)
    start = 0
    for number, batch in enumerate(batches(images, "Corrupting")):
        frames = [read_bgr(image.path) for image in batch]
        part = slice(start, start := start + len(batch))
        for kind, name in enumerate(CORRUPTIONS):
            for severity in SEVERITIES:
                rng = np.random.default_rng((number, kind, severity))
                signs = classify.classify([corrupt(name, f, severity=severity, rng=rng) for f in frames])
                given[kind, severity - 1, part] = [sign.class_id for sign in signs]
                is_known[kind, severity - 1, part] = [sign.is_known for sign in signs]
    return Corrupted(np.array([image.class_id for image in images], np.int64), given, is_known)
