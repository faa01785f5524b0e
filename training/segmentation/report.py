"""What a report shows of an evaluated segmentation model."""

from __future__ import annotations

import numpy as np

from perception import draw
from perception.report.page import Report
from training.datasets.pictures import read_bgr
from training.evaluate.report import add_reliability
from training.segmentation.evaluate import MaskEvaluation, Shown


def add_sections(report: Report, evaluation: MaskEvaluation) -> None:
    """Draw what was measured, below figures and remarks."""
    classes = evaluation.details["classes"]
    report.bars(
        "IoU by class", {label: row["iou"] for label, row in classes.items() if row["iou"] is not None}
    )
    percent = [
        [label, *(None if value is None else 100 * value for value in row.values())]
        for label, row in classes.items()
    ]
    report.table("Classes, in percent", ["class", "recall", "IoU", "boundary F1"], percent)
    add_reliability(report, evaluation.details)
    add_pictures(report, "Worst pictures", evaluation.worst, evaluation)
    add_pictures(report, "Best pictures", evaluation.best, evaluation)
    pixels = evaluation.confusion.sum(axis=1)
    shares = 100 * evaluation.confusion[:, :-1] / np.maximum(pixels, 1)[:, np.newaxis]
    report.matrix("Confusion, in percent of the true class", evaluation.labels, shares.round(1))


def add_pictures(report: Report, title: str, chosen: tuple[Shown, ...], evaluation: MaskEvaluation) -> None:
    """Each picture twice: coloured as the model answers, and as it should."""
    pictures = []
    for one in chosen:
        frame = read_bgr(one.path)
        for caption, ids in ((f"model, mIoU {one.score:.2f}", one.answer), ("truth", one.truth)):
            drawn = draw.overlay_mask(frame, ids, evaluation.labels, evaluation.palette)
            pictures.append((f"{one.path.name}: {caption}", drawn))
    report.pictures(title, pictures)
