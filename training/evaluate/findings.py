"""What an evaluation of either task finds, and the parts that both tasks' reports share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.report import Report
from training.data.images import DataError
from training.metrics import reliability


@dataclass(frozen=True)
class Findings:
    """What was measured.

    Attributes:
        figures: all in 0…1.
        details: tables, as metrics.json holds them beside the figures; None stands for "cannot be said".
        remarks: lines for a reader that no figure tells.
    """

    figures: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def summarise(report: Report, figures: Mapping[str, float], remarks: Sequence[str] = ()) -> None:
    """Figures, in percent, and remarks as the report's first sections."""
    rows = [[name.replace("_", " "), 100 * value] for name, value in figures.items()]
    report.table("Figures", ["measure", "%"], rows)
    if remarks:
        report.text("Remarks", "\n".join(remarks))


def require_labels(data: tuple[str, ...], model: tuple[str, ...], where: Path) -> None:
    """Refuse to compare classes that are not the same.

    Raises:
        DataError: naming the first difference.
    """
    if data != model:
        differing = [f"{a!r} against {b!r}" for a, b in zip(data, model) if a != b] or [
            "the number of classes"
        ]
        raise DataError(
            f"{where} has {len(data)} classes, the model {len(model)}; first difference: {differing[0]}"
        )


def add_reliability(
    report: Report, confidence: NDArray[np.floating], correct: NDArray[np.bool_]
) -> list[list[float | None]]:
    """Draw the reliability diagram; returns its bins for metrics.json.

    Args:
        report: where to.
        confidence: (N,) in 0…1.
        correct: (N,) whether each answer was right.
    """
    bins = reliability(confidence, correct)
    report.reliability(
        "Reliability: is 0.9 right nine times in ten?", [(c, a, s) for c, a, s in bins.tolist()]
    )
    return [listed(row) for row in bins]


def listed(values: NDArray[np.floating]) -> list[float | None]:
    """For JSON, which knows no NaN."""
    return [None if np.isnan(value) else float(value) for value in values]
