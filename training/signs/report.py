"""What a report shows of an evaluated sign classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perception.report.page import Report
from training.datasets.pictures import read_bgr
from training.evaluate.report import add_reliability
from training.signs.evaluate import SignEvaluation

PICTURES = 24  # worst mistakes in the report


def add_sections(report: Report, evaluation: SignEvaluation) -> None:
    """Draw what was measured, below figures and remarks."""
    add_reliability(report, evaluation.details)
    if evaluation.roc:
        add_roc(report, evaluation.roc)
    if "numbers" in evaluation.details:
        add_numbers(report, evaluation.details["numbers"])
    add_classes(report, evaluation.details["classes"])
    surest = [
        (f"{one.label} taken for {one.answer} ({one.score:.2f})", read_bgr(one.path))
        for one in evaluation.mistakes[:PICTURES]
    ]
    report.pictures(f"Surest of {len(evaluation.mistakes)} mistakes", surest)
    report.matrix("Confusion", evaluation.labels, evaluation.confusion)


def add_roc(report: Report, roc: Sequence[tuple[float, float]]) -> None:
    """Draw which signs are lost where how much of the background is refused."""
    report.curve(
        "Unknown things refused: ROC, where false alarms are few",
        {"known": [(100 * alarms, 100 * accepted) for alarms, accepted in roc]},
        x_label="background taken for a sign, %",
        y_label="signs accepted, %",
    )


def add_numbers(report: Report, numbers: Mapping[str, Mapping[str, Any]]) -> None:
    """Crops of signs that differ in a number alone, read as one another."""
    rows = []
    for name, row in numbers.items():
        worst = ", ".join(f"{pair} ({count})" for pair, count in [*row["pairs"].items()][:3])
        rows.append(
            [name, row["crops"], row["mistaken"], 100 * row["mistaken"] / max(1, row["crops"]), worst]
        )
    columns = ["crops", "of them", "read as another number", "%", "most often"]
    report.table("Signs that differ in a number alone", columns, rows)


def add_classes(report: Report, classes: Mapping[str, Mapping[str, Any]]) -> None:
    """Crops, precision, recall and F1 of each class."""
    rows = [
        [label, *row.values()]
        for label, row in sorted(classes.items(), key=lambda item: item[1]["f1"] or 0.0)
    ]
    report.table("Classes, hardest first", ["class", "crops", "precision", "recall", "F1"], rows)
