"""What a report shows of an evaluated detector."""

from __future__ import annotations

import cv2
import numpy as np

from perception.frames import Frame
from perception.report.page import Report
from training.datasets.pictures import read_bgr
from training.detection.evaluate import DetectionEvaluation, Shown
from training.evaluate.report import add_reliability

PICTURES = 24  # misses and false alarms in the report
AROUND = 3.0  # times the box, that a picture shows
SIDE = 160  # px of such a picture
COLOR = (0, 200, 255)  # BGR of the box


def add_sections(report: Report, evaluation: DetectionEvaluation) -> None:
    """Draw what was measured, below figures and remarks."""
    if evaluation.details["reliability"]:
        add_reliability(report, evaluation.details)
    report.curve(
        "Precision and recall",
        {"boxes": [(100 * recall, 100 * precision) for recall, precision in evaluation.precision]},
        x_label="signs found, %",
        y_label="boxes that are signs, %",
    )
    sizes = evaluation.details["sizes"].items()
    rows = [
        [name, row["signs"], None if row["recall"] is None else 100 * row["recall"]] for name, row in sizes
    ]
    report.table("Recall by the width of the sign", ["width", "signs", "recall, %"], rows)
    missed, alarms = evaluation.misses, evaluation.alarms
    report.pictures(f"Largest of {len(missed)} signs that were missed", map(missed_sign, missed[:PICTURES]))
    report.pictures(
        f"Surest of {len(alarms)} false alarms",
        ((f"{one.score:.2f}, {one.path.name}", view(one)) for one in alarms[:PICTURES]),
    )


def missed_sign(one: Shown) -> tuple[str, Frame]:
    """Caption and picture."""
    return f"{one.box[2] - one.box[0]:.0f} px, {one.path.name}", view(one)


def view(one: Shown) -> Frame:
    """The surroundings of a box."""
    return surroundings(read_bgr(one.path), one.box)


def surroundings(frame: Frame, box: tuple[float, float, float, float]) -> Frame:
    """The surroundings of a box x1, y1, x2, y2 px, scaled to SIDE, with the box drawn in."""
    x1, y1, x2, y2 = box
    half = max(x2 - x1, y2 - y1, 8.0) * AROUND / 2
    left, top = (round((low + high) / 2 - half) for low, high in ((x1, x2), (y1, y2)))
    side = max(2, round(2 * half))
    margin = side
    around = cv2.copyMakeBorder(frame, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    part = around[max(0, top + margin) :, max(0, left + margin) :][:side, :side]
    scale = SIDE / side
    shown = cv2.resize(np.ascontiguousarray(part), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    corners = [round((value - start) * scale) for value, start in zip(box, (left, top, left, top))]
    cv2.rectangle(shown, (corners[0], corners[1]), (corners[2], corners[3]), COLOR, 1)
    return np.asarray(shown, np.uint8)
