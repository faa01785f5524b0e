"""Run: models over a bag, video, folder or picture, without ROS.

source ─► shot ─► signs, road ─► results bag (the nodes' topics)
                             └─► overlay frames or video, report.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from perception.errors import FrameError, InputError
from perception.frames import Frame
from perception.paths import is_utf8
from perception.recordings.bag import BagWriter, is_bag
from perception.recordings.results import ResultWriter
from perception.recordings.sources import Shot, Source, open_source
from perception.report.page import Report
from perception.report.summary import Summary, overlay
from perception.segmentation import RoadMask, Segmenter
from perception.signs import SignClassifier, Signs

Overlay = Literal["frames", "video", "none"]
OVERLAYS: tuple[Overlay, ...] = ("frames", "video", "none")
MAX_VIDEO_HZ = 240.0  # MPEG-4 cannot count what some bags and videos tell


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        summary: the counts.
        results: the bag with the result topics.
        report: the page.
    """

    summary: Summary
    results: Path
    report: Path


def run(
    inputs: Sequence[Path],
    out: Path,
    *,
    classify: SignClassifier | None = None,
    segment: Segmenter | None = None,
    topic: str | None = None,
    rois: str | None = None,
    overlays: Overlay = "frames",
    console: Console | None = None,
) -> Outcome:
    """Put every shot of the inputs through the models.

    Args:
        inputs: bags, videos, folders, pictures; one run, one after the other.
        out: folder for ``results/``, ``overlay/`` or ``overlay.mp4``, and ``report.html``.
        classify: the sign model; None leaves signs out.
        segment: the segmentation model; None leaves masks out.
        topic: image topic of the bags; may be left out where there is one.
        rois: topic of the boxes in the bags; may be left out where its name ends in "rois"; "none" takes
            whole frames.
        overlays: what to make of the annotated frames.
        console: for the progress bar; None shows none.

    Raises:
        InputError: an input cannot be read, or ends in damage (then what came before is written and
            reported), or not one of its frames was usable.
    """
    sources = _open_all(inputs, topic, rois, use_rois=classify is not None)
    summary = Summary(expected=sum(s.count for s in sources), period_s=1.0 / sources[0].rate_hz)
    damage: InputError | None = None
    with ExitStack() as stack:
        pictures = stack.enter_context(_Overlays(out, overlays, rate_hz=sources[0].rate_hz))
        bag = stack.enter_context(BagWriter(out / "results"))
        stream = _Stream(classify, segment, ResultWriter(bag), summary, pictures)
        try:
            for shot in _shots(sources, stream.begin, console):
                stream.take(shot)
        except InputError as error:  # a damaged end must not cost the good frames before it
            damage = error
    outcome = Outcome(summary, out / "results", out / "report.html")
    _report([s.name for s in sources], classify, segment, summary, damage).save(outcome.report)
    if damage is not None:
        raise InputError(f"{damage}; {summary.good} frames before that are in {outcome.report}")
    if not summary.good:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.bad_reasons.items())
        raise InputError(f"not one usable frame ({reasons or 'none at all'}); see {outcome.report}")
    return outcome


class _Stream:
    """Takes shots, one by one, to all outputs."""

    def __init__(
        self,
        classify: SignClassifier | None,
        segment: Segmenter | None,
        results: ResultWriter,
        summary: Summary,
        pictures: _Overlays,
    ) -> None:
        self._classify, self._segment = classify, segment
        self._results, self._summary, self._pictures = results, summary, pictures
        self._is_new = True
        self._start_ns: int | None = None
        self._begin_s = 0.0

    def begin(self, source: Source) -> None:
        """Shots of another source follow; its clock may be any, so it goes on where the last one ended."""
        self._start_ns, self._begin_s = None, self._summary.end_s
        self._summary.period_s = 1.0 / source.rate_hz

    def take(self, shot: Shot) -> None:
        if self._is_new:
            self._is_new = False
            for model in (self._classify, self._segment):
                if model is not None:
                    self._results.label_info(model.spec, shot)
        if self._start_ns is None:
            self._start_ns = shot.time_ns
        time_s = self._begin_s + (shot.time_ns - self._start_ns) / 1e9
        try:
            if shot.image is None:
                raise shot.error or FrameError("data", "no picture")
            road = None if self._segment is None else self._segment(shot.image)
            if road is not None:  # a bad box is no reason to keep it back
                self._results.road(road, shot)
            signs = None if self._classify is None else self._signs(self._classify, shot, shot.image)
            if signs is not None:
                self._results.signs(signs, shot)
        except FrameError as error:
            self._summary.add_bad(time_s, shot.name, error)
            return
        if self._pictures.wanted or self._summary.wants_picture:
            picture = overlay(shot.image, signs, road)
            self._pictures.add(picture)
            if self._summary.wants_picture:
                name = "" if shot.name.startswith("/") else shot.name  # a topic is the same for all
                self._summary.add_picture(time_s, name, picture, signs)
        self._summary.add(time_s, signs, road)
        self._summary.latency.add(
            {"read": shot.read_ms, **_named("signs", signs), **_named("segmentation", road)}
        )

    def _signs(self, classify: SignClassifier, shot: Shot, image: Frame) -> Signs:
        boxes = shot.boxes
        return classify.classify([image]) if boxes is None else classify.classify_boxes(image, boxes)


class _Overlays:
    """Writes annotated frames as numbered pictures or as one video; use it with ``with``."""

    def __init__(self, out: Path, kind: Overlay, *, rate_hz: float) -> None:
        self.wanted = kind != "none"
        self._out, self._kind, self._rate_hz = out, kind, rate_hz
        self._count = 0
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._kind == "frames":
            folder = self._out / "overlay"
            folder.mkdir(exist_ok=True)
            path = folder / f"{self._count:06d}.jpg"
            _, data = cv2.imencode(".jpg", picture)  # imwrite ends the process where a name is not UTF-8
            try:
                path.write_bytes(data.tobytes())
            except OSError as error:
                raise InputError(f"{path}: cannot be written: {error.strerror}") from error
        elif self._kind == "video":
            if self._video is None:
                self._size = (picture.shape[1], picture.shape[0])
                codec = cv2.VideoWriter.fourcc(*"mp4v")
                # MPEG-4 counts in steps that not every rate has.
                rate_hz = min(max(1.0, round(self._rate_hz, 2)), MAX_VIDEO_HZ)
                path = self._out / "overlay.mp4"
                # Absolute, for what stands before a colon FFmpeg takes for a protocol.
                self._video = cv2.VideoWriter(str(path.absolute()), codec, rate_hz, self._size)
                if not self._video.isOpened():
                    what = "{}×{} px at {} Hz".format(*self._size, rate_hz)
                    raise InputError(
                        f"{path}: OpenCV cannot write a video of {what} there; try --overlay frames"
                    )
            self._video.write(cv2.resize(picture, self._size))  # all frames of a video have one size
        self._count += 1

    def __enter__(self) -> _Overlays:
        folder = self._out / "overlay"
        if self._kind == "frames" and folder.exists():  # a longer run's last pictures would stay among these
            raise InputError(f"{folder} exists already; remove it or write elsewhere")
        if self._kind == "video" and not is_utf8(self._out):
            raise InputError(f"{str(self._out)!r} is not UTF-8, and OpenCV cannot write a video there")
        return self

    def __exit__(self, *_: object) -> None:
        if self._video is not None:
            self._video.release()


def _open_all(inputs: Sequence[Path], topic: str | None, rois: str | None, *, use_rois: bool) -> list[Source]:
    """Open all before the first frame is computed, so that a typo in the last one is heard at once."""
    sources: dict[int, Source] = {}
    start_ns = 0
    # Bags first: what has no clock goes on where they end, or the results would span decades.
    for number in sorted(range(len(inputs)), key=lambda number: not is_bag(inputs[number])):
        source = open_source(inputs[number], topic=topic, rois=rois, use_rois=use_rois, start_ns=start_ns)
        start_ns = max(start_ns, source.end_ns)
        sources[number] = source
    return [source for _, source in sorted(sources.items())]


def _shots(
    sources: Sequence[Source], begin: Callable[[Source], None], console: Console | None
) -> Iterator[Shot]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=console is None) as progress:
        for source in sources:
            begin(source)
            yield from progress.track(source.shots(), total=source.count, description=source.name)


def _named(task: str, result: Signs | RoadMask | None) -> Mapping[str, float]:
    return {} if result is None else {f"{task} {stage}": value for stage, value in result.latency_ms.items()}


def _report(
    names: Sequence[str],
    classify: SignClassifier | None,
    segment: Segmenter | None,
    summary: Summary,
    damage: InputError | None,
) -> Report:
    models = [f"{m.spec.task} on {m.device}" for m in (classify, segment) if m is not None]
    bad = summary.bad_reasons.total()
    facts = [
        f"{summary.good} frames",
        f"{bad} bad",
        *models,
        f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
    ]
    report = Report("Run: " + ", ".join(names[:3]) + (" …" if len(names) > 3 else ""), " · ".join(facts))
    if damage is not None:
        report.text("Incomplete", str(damage))
    summary.write(report)
    return report
