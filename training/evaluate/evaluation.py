"""What an evaluation measures: frozen data, which ``evaluate.report`` and ``TASK/report.py`` draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.metrics import reliability

BATCH = 64
CROSS_ENTROPY = "cross_entropy"

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What was measured.

    Attributes:
        figures: all in 0…1, but the cross entropy, in nats.
        rates: numbers that are no shares, such as false alarms a frame.
        details: tables, as metrics.json holds them beside the figures; None is for what cannot be measured.
        remarks: lines for a reader about what no figure shows.
    """

    figures: Mapping[str, float]
    rates: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def reliability_bins(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_]
) -> list[list[float | None]]:
    """The bins of a reliability diagram: mean confidence, accuracy and share of all answers.

    Args:
        confidence: (N,) in 0…1.
        correct: (N,) whether each answer was right.
    """
    return [without_nan(row) for row in reliability(confidence, correct)]


def without_nan(values: NDArray[np.floating]) -> list[float | None]:
    """For JSON, which knows no NaN."""
    return [None if np.isnan(value) else float(value) for value in values]


def batches(items: Sequence[Item], what: str) -> Iterator[Sequence[Item]]:
    """The items in slices of BATCH, with a progress bar."""
    for start in track(range(0, len(items), BATCH), what):
        yield items[start : start + BATCH]


def spread(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """At most so many of the items, evenly from the first to the last; None gives all."""
    if limit is None or limit >= len(items):
        return items
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, limit).round()]
