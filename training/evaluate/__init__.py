"""Evaluate: a model file's figures on a data set, through the runtime that the car uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import perception
from perception.paths import writing
from perception.report.page import Report
from perception.spec import ModelSpec
from training.datasets.images import DataError
from training.evaluate.evaluation import Evaluation
from training.evaluate.report import summarise
from training.tasks import TASKS, chosen_options, column

__all__ = ["Evaluation", "evaluate"]


def evaluate(
    model: Path, data: Path, *, out: Path, device: str = "auto", split: str = "val", **options: Any
) -> Evaluation:
    """Measure a model file and write ``report.html`` and ``metrics.json``.

    Args:
        model: an exported file.
        data: root of the data set; its classes must be the model's.
        out: folder for the two files.
        device: see :func:`perception.load`.
        split: ``"val"``, the part that training kept aside, or ``"all"`` pictures.
        options: of the task's own measure, e.g. ``background`` and ``corruptions`` for signs.

    Raises:
        DataError: the data set cannot be read or has other classes, or an option does not suit the model.
        ModelError: the model cannot be used, or there is no measure for its task.
    """
    with perception.load(model, device=device) as runner:
        spec: ModelSpec = runner.spec
        measure = column(spec.task, "evaluate")
        own, foreign = chosen_options(measure, options, {})
        if foreign:
            raise DataError(
                f"{model.name} is of the task {spec.task!r}, whose evaluation has no --{foreign[0]}; leave "
                "it out"
            )
        evaluation: Evaluation = measure(runner, data, split=split, **own)
    write_report(evaluation, spec, f"{model.name} on {data.name} ({split})", out / "report.html")
    write_json(evaluation, {"model": model.name, "split": split}, out / "metrics.json")
    print_figures(evaluation)
    print(f"report: {out / 'report.html'}")
    return evaluation


def write_report(evaluation: Evaluation, spec: ModelSpec, title: str, path: Path) -> None:
    """Draw what was measured.

    Args:
        evaluation: what was measured.
        spec: the model's.
        title: the page's headline.
        path: the page to write.
    """
    report = Report(title, spec.trained_on)
    summarise(report, evaluation)
    if TASKS[spec.task].report:
        column(spec.task, "report")(report, evaluation)
    report.save(path)


def write_json(evaluation: Evaluation, about: dict[str, str], path: Path) -> None:
    """Write figures, details and remarks, after what they are about."""
    measured = {**evaluation.figures, **evaluation.rates, **evaluation.details}
    content = {**about, **measured, "remarks": evaluation.remarks}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with writing(path):
        path.write_text(text, "utf-8", errors="replace")  # a path in a remark may be no UTF-8


def print_figures(evaluation: Evaluation) -> None:
    """Print figures, rates and remarks."""
    for name, value in {**evaluation.figures, **evaluation.rates}.items():
        print(f"{name:<24} {value:.4f}")
    for remark in evaluation.remarks:
        print(remark)
