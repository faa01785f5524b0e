"""Compared: a comparison of two sets of models as a report."""

from __future__ import annotations

from collections.abc import Iterator

from perception.comparison import Comparison, Moment, TaskComparison
from perception.differences import NOTHING
from perception.observed import Observed
from perception.report.page import Report

_CURVES = 4  # labels a chart of both models, which is eight lines
_LISTED = 20
_LISTED_PASSAGES = 100
NAMES = ("old", "new")  # the first set of models and the second


def write(comparison: Comparison, report: Report) -> None:
    """Add the sections to a report, pictures first."""
    if comparison.damage:
        report.text("Incomplete", comparison.damage)
    if comparison.remarks:
        report.text("Remarks", "\n".join(comparison.remarks))
    report.table(
        "Models",
        ("task", "", "model", "trained on", "device"),
        [
            (task.task, name, side.model, side.trained_on, side.device)
            for task in comparison.tasks
            for name, side in zip(NAMES, task.sides, strict=True)
        ],
    )
    report.table("At a glance", ("task", "measure", *NAMES), glance(comparison))
    for task in comparison.tasks:
        _write_task(task, comparison.end_s, report)
    if comparison.bad:
        report.bars("Bad frames", comparison.bad, unit="frames")


def glance(comparison: Comparison) -> list[tuple[str, str, float | None, float | None]]:
    """The few numbers that matter: (task, measure, of the first, of the second)."""
    rows: list[tuple[str, str, float | None, float | None]] = []
    for task in comparison.tasks:
        first, second = (side.observed for side in task.sides)
        if task.difference is not None:
            what = f"{task.counted} that differ from the {NAMES[0]} ones, %"
            rows.append((task.task, what, None, 100 * task.difference))
        for measure, values in _measures(first, second):
            if values != (None, None):
                rows.append((task.task, measure, *values))
    return rows


def _measures(first: Observed, second: Observed) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    flickers = [
        100 * each.flicker.pixels if each.flicker.pixels is not None else None for each in (first, second)
    ]
    yield "flicker, % of pixels a frame", (flickers[0], flickers[1])
    yield "label changes", (first.flicker.label_changes, second.flicker.label_changes)
    if first.sightings or second.sightings:
        yield "sightings", (sum(first.sightings.values()), sum(second.sightings.values()))
        yield "events (confirmed)", (len(first.passages), len(second.passages))
    for place, percent in enumerate(("p50", "p95", "p99")):
        stages = [each.latency_ms.get("total") for each in (first, second)]
        values = [stage[place] if stage else None for stage in stages]
        yield f"latency {percent}, ms", (values[0], values[1])


def _write_task(task: TaskComparison, end_s: float, report: Report) -> None:
    name = task.task.replace("_", " ").capitalize()
    if task.moments:
        pictures = ((caption(moment, task.counted), moment.picture) for moment in task.moments)
        report.pictures(f"{name}: where the two differ most", pictures, large=True)
    elif task.counted:
        report.text(f"{name}: where the two differ", "They say the same about every frame.")
    if len(task.difference_over_time) > 1:
        line = {"differs": _percent(task.difference_over_time)}
        report.curve(
            f"{name}: difference over time", line, x_label="seconds", y_label=f"% of the {task.counted}"
        )
    _write_changes(task, name, report)
    _write_shares(task, name, report)
    flicker = {
        label: _percent(side.observed.flicker_over_time)
        for label, side in zip(NAMES, task.sides, strict=True)
        if len(side.observed.flicker_over_time) > 1
    }
    if flicker:
        report.curve(f"{name}: flicker over time", flicker, x_label="seconds", y_label="% of pixels a frame")
    _write_passages(task, name, end_s, report)
    stages = [side.observed.latency_ms for side in task.sides]
    report.table(
        f"{name}: latency (ms)",
        ("stage", *(f"{side} {percent}" for side in NAMES for percent in ("p50", "p95", "p99"))),
        [
            (stage, *(value for side in stages for value in side.get(stage, (None, None, None))))
            for stage in dict.fromkeys([*stages[0], *stages[1]])
        ],
    )


def caption(moment: Moment, counted: str) -> str:
    """When and where a moment is, and what differs in it."""
    if counted == "pixels":
        changes = [f"{_named(first)} → {_named(second)}" for first, second, _ in moment.changes]
        what = f"{moment.share:.1%} of pixels: " + ", ".join(changes)
    else:
        what = ", ".join(
            f"{_named(first)} → {_named(second)}" + (f" ({number})" if number > 1 else "")
            for first, second, number in moment.changes
        )
    return " · ".join(filter(None, (f"{moment.time_s:.1f} s", moment.name or f"frame {moment.frame}", what)))


def _write_changes(task: TaskComparison, name: str, report: Report) -> None:
    total = sum(task.pairs.values())
    changes = [(*labels, number) for labels, number in task.pairs.items() if labels[0] != labels[1]]
    rows = [
        (_named(first), _named(second), number, 100 * number / total)
        for first, second, number in changes[:_LISTED]
    ]
    if rows:
        more = f" (the {_LISTED} most frequent of {len(changes)})" if len(changes) > _LISTED else ""
        header = (*NAMES, task.counted, f"% of all {task.counted}")
        report.table(f"{name}: what the one says and the other does not{more}", header, rows)


def _write_shares(task: TaskComparison, name: str, report: Report) -> None:
    first, second = (side.observed for side in task.sides)
    labels = list(dict.fromkeys([*first.shares, *second.shares]))
    if not labels:
        return
    means = [
        (label, *(100 * side.shares[label] if label in side.shares else None for side in (first, second)))
        for label in labels
    ]
    report.table(f"{name}: shares of the frame (mean, in %)", ("class", *NAMES), means)
    lines = {
        f"{label}, {side}": _percent(observed.shares_over_time[label])
        for label in labels[:_CURVES]
        for side, observed in zip(NAMES, (first, second), strict=True)
        if len(observed.shares_over_time.get(label, ())) > 1
    }
    if lines:
        title = f"{name}: shares over time"
        title += f" (the {_CURVES} largest classes)" if len(labels) > _CURVES else ""
        report.curve(title, lines, x_label="seconds", y_label="% of the frame")


def _write_passages(task: TaskComparison, name: str, end_s: float, report: Report) -> None:
    """Events: a row of the timeline for each class and model, the two beneath each other."""
    both = [side.observed.passages for side in task.sides]
    labels = list(dict.fromkeys(passage.label for passages in both for passage in passages))
    if not labels:
        return
    rows = {
        f"{label}, {side}": [(each.from_s, each.to_s) for each in passages if each.label == label]
        for label in labels[: _LISTED // 2]
        for side, passages in zip(NAMES, both, strict=True)
    }
    title = f"{name}: events, from being confirmed to leaving"
    title += f" (the first {_LISTED // 2} classes)" if len(labels) > _LISTED // 2 else ""
    report.timeline(title, rows, end=end_s)
    events = sorted(
        ((side, each) for side, passages in zip(NAMES, both, strict=True) for each in passages),
        key=lambda event: event[1].from_s,
    )
    more = f" (the first {_LISTED_PASSAGES} of {len(events)})" if len(events) > _LISTED_PASSAGES else ""
    report.table(
        f"{name}: events{more}",
        ("model", "id", "class", "from s", "to s", "frames", "best score"),
        [
            (side, each.id, each.label, each.from_s, each.to_s, each.frames, each.best)
            for side, each in events[:_LISTED_PASSAGES]
        ],
    )


def _named(label: str) -> str:
    return "nothing" if label == NOTHING else label


def _percent(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    return [(time_s, 100 * value) for time_s, value in points]
