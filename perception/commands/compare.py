"""Compare: two sets of models over the same frames, their results side by side.

source ─► shot ─┬─► answers of the old models ─┬─► comparers ─► comparison.json, report.html
                └─► answers of the new models ─┘
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from rich.console import Console

from perception.commands import replay
from perception.commands.answers import Answers
from perception.commands.models import Pair, open_pairs
from perception.commands.overlays import Overlay, Overlays
from perception.commands.remarks import Remarks
from perception.comparison import APART_S, Comparer, Comparison
from perception.errors import FrameError, InputError
from perception.model import Result
from perception.paths import replacing
from perception.reader import BoxesFrom
from perception.recordings.shots import Shot, Source
from perception.report import beside, compared, tables
from perception.report.page import Report

DATA = "comparison.json"


@dataclass(frozen=True)
class Outcome:
    """What a comparison wrote.

    Attributes:
        comparison: what was measured.
        data: the same as JSON.
        report: the page.
    """

    comparison: Comparison
    data: Path
    report: Path


def compare(
    inputs: Sequence[Path],
    out: Path,
    pairs: Sequence[Pair],
    *,
    boxes: BoxesFrom = "detector",
    topic: str | None = None,
    rois: str | None = None,
    overlays: Overlay = "none",
    remarks: Sequence[str] = (),
    console: Console | None = None,
) -> Outcome:
    """Run both models of each task over every shot of the inputs.

    Args:
        inputs: bags, tubs, videos, folders, pictures, read one after the other.
        out: folder for ``comparison.json``, ``report.html``, and ``overlay/`` or ``overlay.mp4``.
        pairs: two models of each task, of the old set and the new.
        boxes: see ``run``.
        topic: see ``run``.
        rois: see ``run``.
        overlays: what to make of all annotated frames, the old results left and the new ones right.
        remarks: warnings that came up when the models were opened, for the report.
        console: for the progress bar; None shows none.

    Raises:
        InputError: as of ``run``; or the folder holds a comparison already.
        KeyboardInterrupt: it was stopped; what was compared until then is written. So with SystemExit.
    """
    outcome_paths = (out / DATA, out / "report.html")
    for path in outcome_paths:
        if path.exists():
            raise InputError(f"{path} exists already; remove it or write elsewhere")
    with Remarks() as own:
        models = [pair.models[0] for pair in pairs]
        sources = replay.open_all(inputs, models, boxes, topic=topic, rois=rois)
        out.mkdir(parents=True, exist_ok=True)
        damage, stop = "", None
        with Overlays(out, overlays, rate_hz=sources[0].rate_hz) as pictures:
            stream = _Stream(pairs, boxes, pictures)
            try:
                for shot in replay.shots(sources, stream.begin, console):
                    stream.take(shot)
            except InputError as error:  # a damaged end must not cost the good frames before it
                damage = str(error)
            except (KeyboardInterrupt, SystemExit) as signal:  # nor must Ctrl-C
                damage, stop = "It was stopped before the drive's end.", signal
            stream.end()
    comparison = stream.comparison([source.name for source in sources], [*remarks, *own.texts], damage)
    outcome = Outcome(comparison, *outcome_paths)
    _write(outcome, pairs)
    if stop is not None:
        raise stop
    if damage:
        raise InputError(f"{damage}; {comparison.frames} frames before that are in {outcome.report}")
    if not comparison.frames:
        reasons = ", ".join(f"{count} {reason}" for reason, count in comparison.bad.items())
        raise InputError(f"not one usable frame ({reasons or 'none at all'}); see {outcome.report}")
    return outcome


def command(options: argparse.Namespace, boxes: BoxesFrom) -> None:
    """Compare what the options of the command line name, and print what came out."""
    with Remarks() as remarks:
        pairs = open_pairs(options, boxes)
    outcome = compare(
        options.inputs,
        options.out,
        pairs,
        boxes=boxes,
        topic=options.topic,
        rois=options.rois,
        overlays=options.overlay or "none",
        remarks=remarks.texts,
        console=Console(stderr=True),
    )
    show(outcome, Console())


def show(outcome: Outcome, console: Console) -> None:
    """Print the few numbers that matter, and where everything is."""
    comparison = outcome.comparison
    rows = [(f"{task}: {measure}", *values) for task, measure, *values in compared.glance(comparison)]
    console.print(tables.numbers(("", *compared.NAMES), rows))
    bad = ", ".join(f"{count} {reason}" for reason, count in comparison.bad.items())
    console.print(f"{comparison.frames} frames" + (f", bad: {bad}" if bad else ""), highlight=False)
    for name, path in (("data", outcome.data), ("report", outcome.report)):
        console.print(f"{name}: {path}", highlight=False, markup=False, soft_wrap=True)


class _Stream:
    """Runs both sets of models on shots, one by one, and collects what they say."""

    def __init__(self, pairs: Sequence[Pair], boxes: BoxesFrom, pictures: Overlays) -> None:
        self._pairs, self._pictures = pairs, pictures
        self._answers = [Answers([pair.models[side] for pair in pairs], boxes) for side in (0, 1)]
        self._comparers = {pair.task: Comparer() for pair in pairs}
        self._clock = replay.Clock()
        self._bad: Counter[str] = Counter()
        self._good = 0
        self._apart_s = APART_S

    def begin(self, source: Source) -> None:
        """Begin another source; its frames are no neighbours of the last one's."""
        for answers in self._answers:
            answers.begin(source)
        self._clock.begin(source)
        self._apart_s = APART_S if source.is_stream else 0.0  # pictures of a folder show other places

    def end(self) -> None:
        """End the last source; hints are the same for both sets."""
        self._answers[0].end()
        self._clock.end()

    def take(self, shot: Shot) -> None:
        time_s = self._clock.at(shot)
        if not self._clock.is_neighbour:
            self._pause()
        frame = self._good + self._bad.total()
        try:
            first, second = (
                {model.spec.task: result for model, result in answers.about(shot)}
                for answers in self._answers
            )
        except FrameError as error:
            self._bad[error.reason] += 1
            self._pause()
            return
        self._good += 1
        assert shot.image is not None  # it was answered about
        name = "" if shot.name.startswith("/") else shot.name  # a topic is the same for all frames
        for task, comparer in self._comparers.items():
            results: tuple[Result, Result] = first[task], second[task]
            draw = partial(beside.differing, shot.image, results, compared.NAMES)
            comparer.add(time_s, frame, results, draw, name=name, apart_s=self._apart_s)
        if self._pictures.wanted:
            both = [list(results.values()) for results in (first, second)]
            self._pictures.add(beside.overlays(shot.image, both))

    def comparison(self, names: Sequence[str], remarks: Sequence[str], damage: str) -> Comparison:
        """What both sets said."""
        tasks = []
        for pair in self._pairs:
            sides = [
                (name, model.spec.trained_on, model.device) for name, model in zip(pair.names, pair.models)
            ]
            tasks.append(self._comparers[pair.task].compared(pair.task, sides))
        end_s = self._clock.end_s
        return Comparison(
            tuple(names), self._good, dict(self._bad), end_s, tuple(tasks), tuple(remarks), damage
        )

    def _pause(self) -> None:
        for comparer in self._comparers.values():
            comparer.pause()


def _write(outcome: Outcome, pairs: Sequence[Pair]) -> None:
    comparison = outcome.comparison
    content = json.dumps(comparison.to_json(), indent=2, ensure_ascii=False)
    with replacing(outcome.data) as path:
        path.write_text(content + "\n", encoding="utf-8", errors="replace")
    names = comparison.inputs
    facts = [
        f"{comparison.frames} frames",
        f"{sum(comparison.bad.values())} bad",
        " and ".join(pair.task for pair in pairs),
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
    ]
    title = "Old and new: " + ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
    report = Report(title, " · ".join(facts))
    compared.write(comparison, report)
    with replacing(outcome.report) as path:
        report.save(path)
