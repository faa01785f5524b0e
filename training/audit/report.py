"""What an audit found, on the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from perception.frames import Frame
from perception.report.page import Report, shown
from training.audit.alike import Pair
from training.audit.auditing import Auditor, Suspect
from training.audit.findings import Audit, kinds
from training.datasets.pictures import read_bgr

PICTURES = 24  # of each section
SIDE = 160  # px that small pictures are enlarged to
GAP = 4  # px between two pictures

LEGEND = (
    "Score: how good a label seems, from 0 to 1; the worst come first. Apart: distance of two pictures in "
    "what a net sees in them, where 1 is usual between any two and 0 means the same pixels."
)


def rows(audit: Audit) -> Iterator[tuple[str, str]]:
    """What was found, and how often."""
    yield "pictures seen", f"{audit.seen} of {len(audit.items)}"
    for kind, count in kinds(audit.likely).items():
        yield f"likely: {kind}", str(count)
    if not audit.likely:
        yield "labels that are likely wrong", "0" if audit.judged_by else "not looked for"
    yield "pictures that training and validation share", str(len(audit.leaks))
    yield "pictures that are there twice, or nearly", str(len(audit.twice))
    yield "drives on both sides of the split", str(len(audit.drives))
    yield "classes far smaller than the largest", ", ".join(audit.small) or "0"


def page(audit: Audit, auditor: Auditor) -> Report:
    """What was found, with pictures, the worst first."""
    by = f"labels compared with {audit.judged_by} ({audit.model})" if audit.judged_by else "no label compared"
    report = Report(f"What may be wrong with {audit.data_set}", f"{audit.seen} pictures; {by}")
    report.table("Found", ["", "number"], rows(audit))
    remarks = list(audit.remarks)
    if not audit.is_complete:
        remarks.append("The audit was interrupted: the pictures that were seen are spread over the data set.")
    report.text("How to read this", "\n".join([LEGEND, *remarks]))
    for kind in kinds(audit.suspects):
        of_kind = [one for one in audit.suspects if one.kind == kind]
        likely = sum(one.is_likely for one in of_kind)
        title = f"Likely: {kind}: the worst of {likely}" if likely else f"None is likely: {kind}; the worst"
        report.pictures(title, (_suspect(audit, auditor, one) for one in of_kind[:PICTURES]))
    for title, pairs in (
        (f"In training and in validation: {len(audit.leaks)}", audit.leaks),
        (f"Twice on one side of the split: {len(audit.twice)}", audit.twice),
    ):
        if pairs:
            report.pictures(title, (_pair(audit, pair) for pair in pairs[:PICTURES]))
    if audit.drives:
        lines = [[one.name, one.train, one.val] for one in audit.drives]
        report.table("Drives, or signs, on both sides of the split", ["drive", "learn", "validate"], lines)
    if audit.outliers:
        farthest = audit.outliers[:PICTURES]
        report.pictures(
            "Like no other: look whether they belong here",
            ((f"{one.score:.2f}, {audit.name(one.number)}", _read(audit, one.number)) for one in farthest),
        )
    counts: Sequence[Sequence[object]] = [[name, *numbers] for name, numbers in audit.classes.items()]
    report.table(
        "Classes: different signs, or pictures, that show them", ["class", "learn", "validate"], counts
    )
    return report


def _suspect(audit: Audit, auditor: Auditor, one: Suspect) -> tuple[str, Frame]:
    frame = auditor.drawn(one, read_bgr(audit.items[one.number].path))
    return f"{one.says} – {audit.name(one.number)}, {_number(one.score)}", _large(frame)


def _pair(audit: Audit, pair: Pair) -> tuple[str, Frame]:
    frames = [_read(audit, number) for number in (pair.first, pair.second)]
    height = frames[0].shape[0]
    width = max(1, round(frames[1].shape[1] * height / frames[1].shape[0]))
    gap = np.full((height, GAP, 3), 255, np.uint8)
    beside = np.hstack([frames[0], gap, cv2.resize(frames[1], (width, height))])
    caption = f"{audit.name(pair.first)} | {audit.name(pair.second)}, apart {pair.apart:.2f}"
    return caption, shown(np.asarray(beside, np.uint8))


def _read(audit: Audit, number: int) -> Frame:
    return _large(read_bgr(audit.items[number].path))


def _large(frame: Frame) -> Frame:
    """Small pictures enlarged, large ones made smaller."""
    height, width = frame.shape[:2]
    if height >= SIDE:
        return shown(frame)
    size = (max(1, round(width * SIDE / height)), SIDE)
    return shown(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8))


def _number(score: float) -> str:
    """Two digits that say something."""
    return f"score {score:.2g}"
