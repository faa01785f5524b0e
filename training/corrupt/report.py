"""What a model endures, on the terminal, as a page and as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from perception import draw
from perception.frames import Frame
from perception.report.page import Report
from training.corrupt.corruptions import SEVERITIES
from training.corrupt.endurance import Endurance, Row, conditions
from training.corrupt.trial import CLEAN, Condition, Trial

SHOWN = (3, 5)  # severities on the page
TILE = 260  # px, width of a whole frame in the picture of all corruptions
CROP = 84  # px, height of a crop in it
COLUMNS = 4
_PLATE = (235, 235, 235)  # BGR behind names
TRUTH = (
    "Truth goes with the pixels. A pixel that rolling shutter or dropped rows moved takes its class along; "
    "a pixel that shows nothing of the scene any more, because its row was lost, a patch covers it or it "
    "came in from beside the picture, is not measured. A box is drawn around what it held; a box of which "
    "less than half is left counts neither as missed nor, if it is found, as a false alarm."
)


def rows(table: Mapping[str, Row], clean: float | None) -> list[list[str | float | None]]:
    """In percent: the clean pictures, then each corruption with its mean, the most harmful first."""
    means = {name: _mean(row) for name, row in table.items()}
    ordered = sorted(table, key=lambda name: np.inf if means[name] is None else float(means[name] or 0.0))
    lines: list[list[str | float | None]] = [["clean", *[None] * len(SEVERITIES), _percent(clean)]]
    lines += [[name, *map(_percent, table[name]), _percent(means[name])] for name in ordered]
    columns = [[table[name][place] for name in table] for place in range(len(SEVERITIES))]
    every = [value for column in columns for value in column]
    return [*lines, ["mean", *(_percent(_mean(column)) for column in columns), _percent(_mean(every))]]


def header(measure: str) -> list[str]:
    """Of the table of one measure."""
    return [f"{measure}, %, at severity", *map(str, SEVERITIES), "mean"]


def in_words(endurance: Endurance) -> list[str]:
    """What a reader must know first."""
    table, measure = endurance.tables[endurance.measure], endurance.measure
    means = {name: mean for name, row in table.items() if (mean := _mean(row)) is not None}
    lines = []
    if means:
        worst = min(means, key=lambda name: means[name])
        lines.append(f"Most harmful: {worst}, mean {measure} {100 * means[worst]:.1f} %")
    if endurance.pictures < endurance.wanted:
        lines.append(f"Interrupted after {endurance.pictures} of {endurance.wanted} pictures")
    return [*lines, *endurance.remarks]


def page(endurance: Endurance, trial: Trial, shown: Mapping[Condition, Frame], title: str) -> Report:
    """Tables of all measures, what the task adds, and what the corruptions look like."""
    count = "1 picture" if endurance.pictures == 1 else f"{endurance.pictures} pictures, each"
    report = Report(title, f"{count} clean and under {len(shown) - 1} conditions")
    report.text("In short", "\n".join(in_words(endurance)))
    for measure, table in endurance.tables.items():
        clean = endurance.clean[measure]
        report.table(f"{measure} by corruption", header(measure), rows(table, clean))
    bars = {name: 100 * (_mean(row) or 0.0) for name, row in endurance.tables[endurance.measure].items()}
    report.bars(f"{endurance.measure}: mean of five severities", bars, unit=" %")
    trial.add_sections(report, endurance.details)
    if not trial.is_crop:
        report.text("What is true of a picture whose pixels moved", TRUTH)
    pictures = [
        (caption(endurance, condition), frame)
        for condition, frame in shown.items()
        if condition == CLEAN or condition[1] in SHOWN
    ]
    report.pictures("One picture under each corruption, with the model's answer", pictures)
    return report


def caption(endurance: Endurance, condition: Condition) -> str:
    """A condition, and how well all pictures do under it."""
    name, severity = condition
    if condition == CLEAN:
        value, text = endurance.clean[endurance.measure], name
    else:
        value, text = endurance.tables[endurance.measure][name][severity - 1], f"{name}, severity {severity}"
    return text if value is None else f"{text}: {endurance.measure} {100 * value:.1f} % of all pictures"


def examples(trial: Trial, items: Sequence[Any]) -> dict[Condition, Frame]:
    """One picture under each condition, with the model's answer."""
    scene = trial.read(trial.example(items))
    return {condition: trial.drawn(one) for condition, (one,) in conditions(trial, [scene])}


def sheet(shown: Mapping[Condition, Frame], *, is_crop: bool) -> Frame:
    """All corruptions in one picture: crops at every severity, whole frames at severity 3."""
    if not is_crop:
        chosen = {name: frame for (name, severity), frame in shown.items() if severity in (0, SHOWN[0])}
        tiles = [_titled(_scaled(frame, TILE), name) for name, frame in chosen.items()]
    else:
        clean = _scaled_high(shown[CLEAN])
        kinds = dict.fromkeys(name for name, _ in shown if name != CLEAN[0])
        tiles = [
            _named(np.hstack([clean, *(_scaled_high(shown[name, s]) for s in SEVERITIES)]), name)
            for name in kinds
        ]
    columns = COLUMNS if not is_crop else 2
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(lines)


def _scaled(frame: Frame, width: int) -> Frame:
    size = (width, max(1, round(frame.shape[0] * width / frame.shape[1])))
    way = cv2.INTER_AREA if width < frame.shape[1] else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(frame, size, interpolation=way), np.uint8)


def _scaled_high(frame: Frame) -> Frame:
    return _scaled(frame, round(frame.shape[1] * CROP / frame.shape[0]))


def _titled(frame: Frame, name: str) -> Frame:
    return draw.overlay_boxes(frame, [draw.Mark(None, name, _PLATE)])


def _named(strip: Frame, name: str) -> Frame:
    """A strip with its name in a margin to the left, because crops are too small to write on."""
    margin = np.full((strip.shape[0], 2 * CROP, 3), 255, np.uint8)
    cv2.putText(
        margin, name, (6, CROP // 2 + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA
    )
    return np.hstack([margin, strip])


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
