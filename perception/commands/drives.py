"""Drives: replays one drive through the models, to check what is expected of it or to write that down."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from perception.commands import models, replay
from perception.commands.answers import Answers
from perception.commands.remarks import Remarks
from perception.errors import FrameError, InputError
from perception.expectations.meters import Meters, check_names
from perception.expectations.quantities import Drive, Expectations
from perception.expectations.template import GoodDrive
from perception.model import Model, Result
from perception.observed import Observer
from perception.recordings import truth
from perception.recordings.bag import is_bag
from perception.recordings.shots import Shot, Source
from perception.samples import Stages
from perception.spec import ModelSpec


def check(
    path: Path,
    expected: Expectations,
    options: argparse.Namespace,
    console: Console | None,
    *,
    opened: Sequence[Model] = (),
) -> Drive:
    """Replay a drive and see what holds.

    Args:
        path: bag, tub, video, folder of pictures, or a folder with ``images/`` and ``masks/``.
        expected: of it.
        options: of the command line: the models, boxes, topics and the device.
        console: for the progress bar; None shows none.
        opened: the models, if they are open already; they stay open.

    Raises:
        PerceptionError: it cannot be opened, or something is expected that cannot be measured at all. A drive
            that breaks off has its error in what is returned.
    """
    begin = time.perf_counter()
    with ExitStack() as stack:
        remarks = stack.enter_context(Remarks())
        drive = _open(path, options, stack, [topic for topic, _ in expected.truth], opened)
        specs = [model.spec for model in drive.models]
        check_names(expected, specs)
        known = stack.enter_context(closing(_open_truth(path, expected, specs)))
        meters = Meters(expected)
        sink = _Checked(meters, known)
        dropped, damage = _replay(drive, sink, console)
        verdicts = () if damage else meters.verdicts(dropped=dropped)
    seconds = time.perf_counter() - begin
    return Drive(str(path), expected, verdicts, sink.good, seconds, tuple(remarks.texts), damage)


def observe(path: Path, options: argparse.Namespace, console: Console | None) -> GoodDrive:
    """Replay a drive that was good, and measure what may be expected of it.

    Raises:
        PerceptionError: it cannot be opened or breaks off, or not one frame is usable.
    """
    with ExitStack() as stack:
        opened = _open(path, options, stack, ())
        sink = _Observed()
        dropped, damage = _replay(opened, sink, console)
    if damage:
        raise InputError(f"{damage}; only a drive that is whole can be the model of others")
    if not sink.good:
        raise InputError(f"{path}: not one usable frame of {sink.bad}")
    tasks = {task: observer.observed() for task, observer in sink.observers.items()}
    total_ms = sink.stages.percentiles()["total"]
    return GoodDrive(opened.source.name, sink.good, sink.bad, dropped, total_ms, tasks)


@dataclass(frozen=True)
class _Opened:
    """A drive and the models that it is replayed through."""

    source: Source
    models: Sequence[Model]
    answers: Answers


class _Sink(Protocol):
    """Takes what the models say about a drive."""

    def pause(self) -> None:
        """The next frame is no neighbour of the last one."""

    def add_bad(self) -> None:
        """Count a frame that could not be used."""

    def add(self, time_s: float, shot: Shot, results: Mapping[str, Result]) -> None:
        """Take in the results of the next frame, by task."""


class _Checked:
    """Measures what is expected."""

    def __init__(self, meters: Meters, known: truth.Truth) -> None:
        self.good = 0
        self._meters, self._truth = meters, known

    def pause(self) -> None:
        self._meters.pause()

    def add_bad(self) -> None:
        self._meters.add_bad()

    def add(self, time_s: float, shot: Shot, results: Mapping[str, Result]) -> None:
        self.good += 1
        self._meters.add(time_s, results, self._truth.of(shot), replay.latency_ms(shot, results))


class _Observed:
    """Measures everything."""

    def __init__(self) -> None:
        self.good = self.bad = 0
        self.stages = Stages()
        self.observers: defaultdict[str, Observer] = defaultdict(Observer)

    def pause(self) -> None:
        for observer in self.observers.values():
            observer.pause()

    def add_bad(self) -> None:
        self.bad += 1
        self.pause()

    def add(self, time_s: float, shot: Shot, results: Mapping[str, Result]) -> None:
        self.good += 1
        self.stages.add(replay.latency_ms(shot, results))
        for task, result in results.items():
            self.observers[task].add(time_s, result)


def _open(
    path: Path,
    options: argparse.Namespace,
    stack: ExitStack,
    truths: Sequence[str],
    opened: Sequence[Model] = (),
) -> _Opened:
    boxes = models.boxes_from(options)
    if not opened:
        opened = models.open_models(options, boxes)
        for model in opened:
            stack.callback(model.close)
    frames = path / truth.IMAGES if truth.has_masks(path) else path
    (source,) = replay.open_all(
        [frames], opened, boxes, topic=options.topic, rois=options.rois, otherwise=truths
    )
    return _Opened(source, opened, Answers(opened, boxes))


def _open_truth(path: Path, expected: Expectations, specs: Sequence[ModelSpec]) -> truth.Truth:
    if expected.truth:
        where = {topic: f"{expected.path}:{line}: truth" for topic, line in expected.truth}
        if not is_bag(path):
            topic, place = next(iter(where.items()))
            raise InputError(f"{place}: {topic} is a topic, but {path} is no bag; leave it out")
        return truth.TopicTruth(path, list(where), specs, where)
    return truth.FolderTruth(path) if truth.has_masks(path) else truth.NoTruth()


def _replay(opened: _Opened, sink: _Sink, console: Console | None) -> tuple[int, str]:
    """Put every shot through the models; returns how many shots are missing, and why the drive breaks off."""
    clock = replay.Clock()
    damage = ""

    def begin(source: Source) -> None:
        opened.answers.begin(source)
        clock.begin(source)

    shots = replay.shots([opened.source], begin, console)
    while True:
        try:
            shot = next(shots, None)
        except InputError as error:  # of the drive; those of what is expected of it end the command
            damage = str(error)
            break
        if shot is None:
            break
        time_s = clock.at(shot)
        if not clock.is_neighbour:
            sink.pause()
        try:
            results = {model.spec.task: result for model, result in opened.answers.about(shot)}
        except FrameError:
            sink.add_bad()
            continue
        sink.add(time_s, shot, results)
    opened.answers.end()
    clock.end()
    return clock.missing, damage
