"""What the reports of all tasks share: title, figures, remarks, reliability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perception.report.page import Report
from training.evaluate.evaluation import CROSS_ENTROPY, Evaluation


def summarise(report: Report, evaluation: Evaluation) -> None:
    """Add figures, in percent, and remarks as the report's first sections."""
    figures = evaluation.figures
    rows = [[name.replace("_", " "), 100 * v] for name, v in figures.items() if name != CROSS_ENTROPY]
    report.table("Figures", ["measure", "%"], rows)
    if evaluation.rates:
        rates = [[name.replace("_", " "), f"{value:.3f}"] for name, value in evaluation.rates.items()]
        report.table("Rates", ["measure", "value"], rates)
    if CROSS_ENTROPY in figures:
        report.text("Cross entropy", f"{figures[CROSS_ENTROPY]:.4f} nats")
    if evaluation.remarks:
        report.text("Remarks", "\n".join(evaluation.remarks))


def add_reliability(report: Report, details: Mapping[str, Any]) -> None:
    """Draw the reliability diagram out of an evaluation's details."""
    nan = float("nan")
    bins = [tuple(nan if value is None else value for value in row) for row in details["reliability"]]
    report.reliability("Reliability: is 0.9 right nine times in ten?", [(c, a, s) for c, a, s in bins])
