"""What an evaluation of either task finds, and the parts that both tasks' reports share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.report.page import Report
from perception.spec import ModelSpec
from training.datasets.images import LEARNT_VAL
from training.metrics import reliability

CROSS_ENTROPY = "cross_entropy"


@dataclass(frozen=True)
class Findings:
    """What was measured.

    Attributes:
        figures: all in 0…1, but the cross entropy, in nats.
        details: tables, as metrics.json holds them beside the figures; None stands for "cannot be said".
        remarks: lines for a reader that no figure tells.
    """

    figures: Mapping[str, float]
    details: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def summarise(report: Report, figures: Mapping[str, float], remarks: Sequence[str] = ()) -> None:
    """Figures, in percent, and remarks as the report's first sections."""
    rows = [[name.replace("_", " "), 100 * v] for name, v in figures.items() if name != CROSS_ENTROPY]
    report.table("Figures", ["measure", "%"], rows)
    if CROSS_ENTROPY in figures:
        report.text("Cross entropy", f"{figures[CROSS_ENTROPY]:.4f} nats")
    if remarks:
        report.text("Remarks", "\n".join(remarks))


def is_kept_aside(spec: ModelSpec, kept_aside: str) -> bool:
    """Whether training kept this validation part aside, as far as the spec tells.

    Args:
        spec: the model's.
        kept_aside: fingerprint of the part.
    """
    return spec.source.get("kept_aside") in (None, kept_aside)


def on_learnt(spec: ModelSpec, name: str, split: str, *, kept_aside: str) -> tuple[str, ...]:
    """What to say of figures on a data set: whether the model has learnt from some of it.

    Args:
        spec: the model's.
        name: of the data set.
        split: that is measured on, ``all`` or ``val``.
        kept_aside: fingerprint of the validation part.
    """
    learnt_all = LEARNT_VAL in spec.trained_on
    has_same_names = spec.source.get("kept_aside") == kept_aside
    remark = ""
    if not spec.trained_on.startswith(f"{name}, "):
        # The same pictures may lie in a folder of another name.
        if has_same_names and (learnt_all or split == "all"):
            remark = "The model was trained with pictures of these names; if they are these, it knows them."
        elif split == "val":
            remark = (
                f"Measured on what a training on {name} would keep aside; --split all takes every picture."
            )
    elif learnt_all and has_same_names:
        remark = "The model has learnt from these very pictures: the figures say nothing about others."
    elif learnt_all:
        remark = f"The model has learnt from all of {name} as it was then: if these are of it, it knows them."
    elif split == "all":
        remark = (
            "Most of these pictures are those that the model has learnt from, if the data set is the same."
        )
    elif not is_kept_aside(spec, kept_aside):
        remark = (
            "Pictures were added, renamed or taken out since the training, so others validate: the model may "
            "have learnt from some of these."
        )
    return (remark,) if remark else ()


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
