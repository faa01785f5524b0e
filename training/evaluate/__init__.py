"""Evaluate: a model file's figures on a data set, through the runtime that the car uses."""

from __future__ import annotations

import json
from pathlib import Path

import perception
from perception import SignClassifier
from perception.report.page import Report
from training.datasets.images import DataError
from training.evaluate.evaluation import Findings
from training.segmentation.evaluate import evaluate_masks
from training.signs.evaluate import evaluate_signs


def evaluate(
    model: Path,
    data: Path,
    *,
    out: Path,
    device: str = "auto",
    split: str = "val",
    background: Path | None = None,
    corruptions: bool = False,
) -> Findings:
    """Measure a model file and write ``report.html`` and ``metrics.json``.

    Args:
        model: an exported file.
        data: root of the data set; its classes must be the model's.
        out: folder for the two files.
        device: see :func:`perception.load`.
        split: ``"val"``, the part that training kept aside, or ``"all"`` pictures.
        background: for signs: street pictures as GTSDB has them, to measure how unknown things are refused.
        corruptions: for signs: measure on corrupted crops, too; takes minutes.

    Raises:
        DataError: the data set cannot be read or has other classes, or an option does not suit the model.
        ModelError: the model cannot be used.
    """
    runner = perception.load(model, device=device)
    report = Report(f"{model.name} on {data.name} ({split})", runner.spec.trained_on)
    if isinstance(runner, SignClassifier):
        found = evaluate_signs(
            runner, data, report, split=split, background=background, corruptions=corruptions
        )
    elif background or corruptions:
        raise DataError(f"{model.name} segments; --background and --corruptions are for classifiers of signs")
    else:
        found = evaluate_masks(runner, data, report, split=split)
    report.save(out / "report.html")
    content = {"model": model.name, "split": split, **found.figures, **found.details}
    content["remarks"] = found.remarks
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (out / "metrics.json").write_text(text, "utf-8", errors="replace")  # a path in a remark may be no UTF-8
    for name, value in found.figures.items():
        print(f"{name:<24} {value:.4f}")
    for remark in found.remarks:
        print(remark)
    print(f"report: {out / 'report.html'}")
    return found
