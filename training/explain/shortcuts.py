"""Shortcuts: how much of the evidence for a thing is outside it, as the snow was behind the wolf.

The wolf is of Ribeiro et al. 2016: a net told wolves from huskies by the snow behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from perception.frames import Frame
from training.explain.methods import Heat, mean_color
from training.explain.question import Question, Sample, as_frames
from training.pieces import Pieces


@dataclass(frozen=True)
class Evidence:
    """What speaks for a thing.

    Attributes:
        outside: what speaks for it, outside it.
        total: what speaks for it.
        area: share of the picture that is outside it.
        is_blind: the net gives the same answer if the surroundings grow over the thing, but not if all has
            one colour.
    """

    outside: float
    total: float
    area: float
    is_blind: bool


@dataclass(frozen=True)
class Finding:
    """A thing and the evidence for it."""

    sample: Sample
    evidence: Evidence

    @property
    def share(self) -> float:
        """Of the evidence, what is outside; 0 if nothing speaks for the thing."""
        return self.evidence.outside / self.evidence.total if self.evidence.total else 0.0


@dataclass(frozen=True)
class ClassFindings:
    """The evidence for the things of one class.

    Attributes:
        label: of the class.
        things: that were looked at.
        share: of all their evidence, what is outside.
        area: mean share of the picture that is outside.
        blind: share of the things with ``is_blind``.
        worst: the thing with the largest share outside.
    """

    label: str
    things: int
    share: float
    area: float
    blind: float
    worst: Finding

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "label": self.label,
            "things": self.things,
            "evidence_outside": round(self.share, 4),
            "area_outside": round(self.area, 4),
            "answer_from_surroundings": round(self.blind, 4),
            "worst": str(self.worst.sample.path),
            "worst_evidence_outside": round(self.worst.share, 4),
        }


def look(
    things: Iterable[Sample], method: Callable[[Question], Heat], pieces: Pieces | None = None
) -> Iterator[Finding | None]:
    """Weigh the evidence for each thing; None for those that the net does not see.

    Args:
        things: to be looked at.
        method: that finds the evidence.
        pieces: where the evidence is kept; None keeps nothing.

    Raises:
        DataError: a picture cannot be read.
    """
    pieces = pieces or Pieces()
    for number, sample in enumerate(things):
        evidence = pieces.once(str(number), partial(_asked, sample, method))
        yield Finding(sample, evidence) if evidence else None


def _asked(sample: Sample, method: Callable[[Question], Heat]) -> Evidence | None:
    asked = sample.ask()
    # Patches side by side take a quarter of the time of those that overlap by half.
    return weigh(replace(asked, step=asked.patch), method) if asked else None


def weigh(asked: Question, method: Callable[[Question], Heat]) -> Evidence:
    """How much of the evidence for a thing is outside it."""
    assert asked.inside is not None, "samples have it"
    evidence = np.maximum(method(asked), 0.0)
    with torch.no_grad():
        pair = torch.cat([as_frames(overgrown(asked.frame, asked.inside)), mean_color(asked.frames)])
        of_surroundings, of_nothing = asked.model(pair)[:, asked.target].tolist()
    return Evidence(
        float(evidence[~asked.inside].sum()),
        float(evidence.sum()),
        float((~asked.inside).mean()),
        of_surroundings > 0 >= of_nothing,
    )


def overgrown(frame: Frame, inside: NDArray[np.bool_]) -> Frame:
    """A picture without its thing (Telea 2004); if it were covered, its outline would still be there."""
    return np.asarray(cv2.inpaint(frame, inside.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8)


def ranked(findings: Iterable[Finding]) -> tuple[ClassFindings, ...]:
    """The classes, the one with most of its evidence outside first."""
    by_class: dict[str, list[Finding]] = {}
    for finding in findings:
        by_class.setdefault(finding.sample.label, []).append(finding)
    classes = (summed(label, own) for label, own in by_class.items())
    return tuple(sorted(classes, key=lambda one: -one.share))


def summed(label: str, findings: Sequence[Finding]) -> ClassFindings:
    """All things of one class together; those with more evidence count more."""
    evidence = [finding.evidence for finding in findings]
    total = sum(one.total for one in evidence)
    return ClassFindings(
        label,
        len(findings),
        sum(one.outside for one in evidence) / total if total else 0.0,
        float(np.mean([one.area for one in evidence])),
        float(np.mean([one.is_blind for one in evidence])),
        max(findings, key=lambda finding: finding.share),
    )
