"""Choose: which candidates are worth labelling, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.extract.candidates import Candidate

ALIKE = 0.25  # of the usual distance between two candidates: nearer ones show the same
SURE = 0.25  # weight of the frame that the models are surest of; that of the least sure is 1
BLURRED = 0.5  # of the drive's median sharpness; below it, a frame weighs less


@dataclass(frozen=True)
class Pick:
    """A chosen candidate.

    Attributes:
        candidate: the frame.
        apart: distance of its look to the nearest frame chosen before it, where 1 is usual between any two
            (root mean square); infinite for the first.
        unsure: 0…1, its rank among all candidates; 1 is the one that the models know least.
        sharp: its sharpness as a share of its drive's median.
    """

    candidate: Candidate
    apart: float
    unsure: float
    sharp: float


def choose(candidates: Sequence[Candidate], count: int) -> tuple[Pick, ...]:
    """The most different and most uncertain sharp frames, the most worthwhile first.

    Each pick is the candidate with the largest product of three: how far it is from all that were picked
    before (farthest-first, as in core-set selection, Sener & Savarese 2018), how unsure the models are, and
    how sharp it is. What looks like an earlier pick is left out, so there may be fewer picks than asked for.

    Args:
        candidates: from the scan.
        count: how many are wanted.
    """
    if not candidates:
        return ()
    looks = scaled(np.stack([one.look for one in candidates]))
    unsure, sharp = _ranks(candidates), _sharpness(candidates)
    weights = (SURE + (1 - SURE) * unsure) * np.clip(sharp / BLURRED, 0.05, 1.0)
    apart = np.full(len(candidates), np.inf)
    picks: list[Pick] = []
    worth = weights
    while len(picks) < min(count, len(candidates)):
        best = int(worth.argmax())
        if apart[best] < ALIKE:
            break
        picks.append(Pick(candidates[best], float(apart[best]), float(unsure[best]), float(sharp[best])))
        apart = np.minimum(apart, np.linalg.norm(looks - looks[best], axis=1))
        worth = np.where(apart < ALIKE, 0.0, apart * weights)
    return tuple(picks)


def scaled(looks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Looks whose root mean square distance is 1; a feature that is always the same says nothing."""
    deviation = looks.std(axis=0)
    moving = deviation > 1e-6
    scaled = (looks - looks.mean(axis=0))[:, moving] / deviation[moving]
    return np.asarray(scaled / np.sqrt(2.0 * max(1, moving.sum())), np.float64)


def _ranks(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """How unsure the least sure model is, as its rank among all frames: models count differently."""
    unsure = np.array([one.unsure for one in candidates], np.float64).reshape(len(candidates), -1)
    ranks = [np.searchsorted(np.sort(column), column, side="left") for column in unsure.T]
    if not ranks:
        return np.zeros(len(candidates))
    return np.asarray(np.max(ranks, axis=0) / max(1, len(candidates) - 1), np.float64)


def _sharpness(candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Sharpness as a share of the median of the frame's own drive, because cameras differ."""
    sources = np.array([one.source for one in candidates])
    sharpness = np.array([one.sharpness for one in candidates])
    shares = np.ones(len(candidates))
    for source in np.unique(sources):
        own = sources == source
        shares[own] = sharpness[own] / max(float(np.median(sharpness[own])), 1e-6)
    return shares
