"""Run: models on a bag, tub, video, folder or picture, without ROS.

source ─► shot ─► answers ─► results ─► bag (the nodes' topics)
                                    └─► overlay frames or video, report.html
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from perception.commands import replay
from perception.commands.answers import Answers
from perception.commands.overlays import Overlay, Overlays
from perception.commands.remarks import Remarks
from perception.errors import FrameError, InputError
from perception.model import Model, Result
from perception.reader import BoxesFrom
from perception.recordings.bag import BagWriter
from perception.recordings.results import ResultWriter
from perception.recordings.shots import Shot, Source
from perception.report import tables
from perception.report.page import Report
from perception.report.summary import Summary, overlay


@dataclass(frozen=True)
class Outcome:
    """What a run wrote.

    Attributes:
        summary: the counts.
        results: the bag with the result topics.
        report: the page.
        remarks: warnings that came up, as the page has them.
    """

    summary: Summary
    results: Path
    report: Path
    remarks: tuple[str, ...] = ()


def run(
    inputs: Sequence[Path],
    out: Path,
    models: Sequence[Model],
    *,
    boxes: BoxesFrom = "detector",
    topic: str | None = None,
    rois: str | None = None,
    overlays: Overlay = "frames",
    console: Console | None = None,
) -> Outcome:
    """Run the models on every shot of the inputs.

    Args:
        inputs: bags, tubs, videos, folders, pictures, read one after the other.
        out: folder for ``results/``, ``overlay/`` or ``overlay.mp4``, and ``report.html``.
        models: at most one of each task.
        boxes: what models that read boxes get: those that they find, or those in the bags (``"rois"``); or
            they answer about each frame as a whole. On videos and bags, things in boxes are followed.
        topic: image topic of the bags; may be left out if there is only one.
        rois: topic of the boxes in the bags; may be left out if its name ends in "rois".
        overlays: what to make of the annotated frames.
        console: for the progress bar; None shows none.

    Raises:
        InputError: an input cannot be read or is damaged, or not one frame was usable. Frames before the
            damage are written and reported.
        ValueError: boxes are to be found, but a model that reads boxes has nothing that finds them.
    """
    answers = Answers(models, boxes)
    models = answers.models
    with Remarks() as remarks:
        sources = replay.open_all(inputs, models, boxes, topic=topic, rois=rois)
        summary, damage = _take_all(sources, out, answers, overlays, console)
    outcome = Outcome(summary, out / "results", out / "report.html", tuple(remarks.texts))
    _report([s.name for s in sources], models, outcome, damage).save(outcome.report)
    if damage is not None:
        raise InputError(f"{damage}; {summary.good} frames before that are in {outcome.report}")
    if not summary.good:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.bad_reasons.items())
        raise InputError(f"not one usable frame ({reasons or 'none at all'}); see {outcome.report}")
    return outcome


def _take_all(
    sources: Sequence[Source], out: Path, answers: Answers, overlays: Overlay, console: Console | None
) -> tuple[Summary, InputError | None]:
    """Put every shot through the models; the second value says where an input ended in damage."""
    summary = Summary(expected=sum(s.count for s in sources), period_s=0.0)
    damage: InputError | None = None
    with ExitStack() as stack:
        pictures = stack.enter_context(Overlays(out, overlays, rate_hz=sources[0].rate_hz))
        bag = stack.enter_context(BagWriter(out / "results"))
        stream = _Stream(answers, ResultWriter(bag), summary, pictures)
        try:
            for shot in replay.shots(sources, stream.begin, console):
                stream.take(shot)
        except InputError as error:  # a damaged end must not cost the good frames before it
            damage = error
        stream.end()
    return summary, damage


def show(outcome: Outcome, console: Console) -> None:
    """Print the latencies, the counts and where everything is."""
    summary = outcome.summary
    console.print(tables.stages(summary.latency.percentiles()))
    bad = ", ".join(f"{count} {reason}" for reason, count in summary.bad_reasons.items())
    console.print(f"{summary.good} frames" + (f", bad: {bad}" if bad else ""), highlight=False)
    for name, path in (("results", outcome.results), ("report", outcome.report)):
        console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)


class _Stream:
    """Runs the models on shots, one by one, and writes all outputs."""

    def __init__(self, answers: Answers, results: ResultWriter, summary: Summary, pictures: Overlays) -> None:
        self._answers = answers
        self._results, self._summary, self._pictures = results, summary, pictures
        self._is_new = True
        self._clock = replay.Clock()

    def begin(self, source: Source) -> None:
        """Begin another source."""
        self._answers.begin(source)
        self._clock.begin(source)
        self._summary.period_s = self._clock.period_s

    def end(self) -> None:
        """End the last source."""
        self._answers.end()
        self._clock.end()

    def take(self, shot: Shot) -> None:
        if self._is_new:
            self._is_new = False
            for model in self._answers.models:
                self._results.label_info(model.spec, shot)
        self._results.controls(shot)
        time_s = self._clock.at(shot)
        by_task: dict[str, Result] = {}
        try:
            for model, result in self._answers.about(shot):
                self._results.write(model.spec.task, result, shot)
                by_task[model.spec.task] = result
        except FrameError as error:
            self._summary.add_bad(time_s, shot.name, error)
            return
        assert shot.image is not None  # it was answered about
        results = list(by_task.values())
        if self._pictures.wanted or self._summary.wants_picture:
            picture = overlay(shot.image, results)
            self._pictures.add(picture)
            if self._summary.wants_picture:
                name = "" if shot.name.startswith("/") else shot.name  # a topic is the same for all frames
                self._summary.add_picture(time_s, name, picture, results)
        self._summary.add(time_s, results)
        self._summary.latency.add(replay.latency_ms(shot, by_task))


def _report(
    names: Sequence[str], models: Sequence[Model], outcome: Outcome, damage: InputError | None
) -> Report:
    summary = outcome.summary
    bad = summary.bad_reasons.total()
    facts = [
        f"{summary.good} frames",
        f"{bad} bad",
        *(f"{model.spec.task} on {model.device}" for model in models),
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
    ]
    report = Report("Run: " + ", ".join(names[:3]) + (" …" if len(names) > 3 else ""), " · ".join(facts))
    if damage is not None:
        report.text("Incomplete", str(damage))
    if outcome.remarks:
        report.text("Remarks", "\n".join(outcome.remarks))
    summary.write(report)
    return report
