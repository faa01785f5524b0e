"""Explanation: what all methods say about one answer, as frozen data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.explain.methods import METHODS, Heat
from training.explain.question import Question
from training.explain.sanity import alike, randomised

GRID = 16  # cells on the longer side of a map in JSON


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a net gives one answer about one picture.

    Attributes:
        path: of the picture.
        answer: a class or a box.
        score: 0…1, of the answer.
        frame: (H, W, 3) uint8 BGR, what was looked at.
        inside: (H, W) where the thing itself is; None if nobody knows.
        heats: (H, W) by method: above 0 for the answer, below 0 against it.
        random: the same of a net with random weights; empty if that was not asked for.
        alike: how alike these two are, -1…1, by method.
    """

    path: Path
    answer: str
    score: float
    frame: Frame
    inside: NDArray[np.bool_] | None
    heats: Mapping[str, Heat]
    random: Mapping[str, Heat]
    alike: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """For programs; maps are coarse, and 1 or -1 where they are strongest."""
        return {
            "picture": str(self.path),
            "answer": self.answer,
            "score": round(self.score, 4),
            "evidence_outside": {
                name: round(share, 4) for name, share in outside(self.heats, self.inside).items()
            },
            "alike_random_weights": {name: round(value, 4) for name, value in self.alike.items()},
            "maps": {name: coarse(heat) for name, heat in self.heats.items()},
        }


def answer(path: Path, asked: Question, methods: Sequence[str], *, sanity: bool = False) -> Explanation:
    """Answer a question by these methods.

    Args:
        path: of the picture.
        asked: about it.
        methods: keys of METHODS.
        sanity: ask a net with random weights, too.
    """
    heats = {name: METHODS[name](asked) for name in methods}
    untrained = randomised(asked) if sanity else None
    random = {name: METHODS[name](untrained) for name in methods} if untrained else {}
    same = {name: alike(heats[name], random[name]) for name in random}
    return Explanation(path, asked.answer, asked.score, asked.frame, asked.inside, heats, random, same)


def mean_alike(explanations: Iterable[Explanation]) -> dict[str, float]:
    """Mean likeness to a net with random weights, by method; empty if that was not asked for."""
    all_of = [one.alike for one in explanations]
    return {name: float(np.mean([own[name] for own in all_of])) for name in (all_of[0] if all_of else {})}


def outside(heats: Mapping[str, Heat], inside: NDArray[np.bool_] | None) -> dict[str, float]:
    """Share of what speaks for the answer that is outside the thing, by method; empty if nobody knows."""
    if inside is None:
        return {}
    shares = {}
    for name, heat in heats.items():
        evidence = np.maximum(heat, 0.0)
        total = float(evidence.sum())
        shares[name] = float(evidence[~inside].sum()) / total if total else 0.0
    return shares


def coarse(heat: Heat) -> list[list[float]]:
    """A map in a few cells, scaled to 1."""
    height, width = heat.shape
    scale = min(1.0, GRID / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    strongest = float(np.abs(heat).max()) or 1.0
    small = cv2.resize(heat / strongest, size, interpolation=cv2.INTER_AREA)
    rows: list[list[float]] = np.asarray(small, np.float64).round(3).tolist()
    return rows
