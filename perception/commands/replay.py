"""Replay: the shots of several inputs, one after the other, on one axis of time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from perception.commands.answers import check_boxes
from perception.model import Model, ReadsBoxes, Result
from perception.reader import BoxesFrom
from perception.recordings import jumps
from perception.recordings.shots import Shot, Source
from perception.recordings.sources import has_clock, open_source

_log = logging.getLogger(__name__)
_NAMED_JUMPS = 3


def open_all(
    inputs: Sequence[Path],
    models: Sequence[Model],
    boxes: BoxesFrom,
    *,
    topic: str | None,
    rois: str | None,
    otherwise: Sequence[str] = (),
) -> list[Source]:
    """Open all before the first frame is computed, so that a typo in the last one is reported at once.

    Args:
        inputs: what ``open_source`` reads.
        models: those that it is for.
        boxes: where boxes come from.
        topic: image topic of the bags.
        rois: topic of the boxes in the bags.
        otherwise: topics of boxes that have another use, so that no warning says that they have none.

    Raises:
        InputError: one cannot be read, or has not the boxes that are asked for.
    """
    sources: dict[int, Source] = {}
    start_ns = 0
    # Bags first: inputs without a clock continue where bags end, or the results would span decades.
    for number in sorted(range(len(inputs)), key=lambda number: not has_clock(inputs[number])):
        source = open_source(
            inputs[number], topic=topic, rois=rois, use_rois=boxes == "rois", start_ns=start_ns
        )
        start_ns = max(start_ns, source.end_ns)
        unused = tuple(name for name in source.unused_boxes if name not in otherwise)
        sources[number] = replace(source, unused_boxes=unused)
    opened = [source for _, source in sorted(sources.items())]
    if any(isinstance(model, ReadsBoxes) for model in models):
        for source in opened:
            check_boxes(source, boxes)
    return opened


def shots(
    sources: Sequence[Source], begin: Callable[[Source], None], console: Console | None
) -> Iterator[Shot]:
    """The shots of all sources, with a progress bar where there is a console.

    Args:
        sources: read one after the other.
        begin: called before the first shot of each.
        console: for the bar; None shows none.
    """
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


def latency_ms(shot: Shot, results: Mapping[str, Result]) -> dict[str, float]:
    """Milliseconds by stage of a shot and of what each task's model says about it, and in total."""
    stages = {"read": shot.read_ms}
    for task, result in results.items():
        stages |= {f"{task} {stage}": value for stage, value in result.latency_ms.items()}
    return stages | {"total": sum(stages.values())}


class Clock:
    """Where each shot is on the axis: an input goes on where the last one ended, since clocks differ.

    Attributes:
        end_s: where the last shot so far ends.
        period_s: the usual time between two shots of the current source.
        is_neighbour: the last shot follows the one before it in a stream, without a jump of the clock or a
            missing shot between them.
        missing: shots that are not there, by the gaps between the stamps of streams.
    """

    def __init__(self) -> None:
        self.end_s = self.period_s = 0.0
        self.is_neighbour = False
        self.missing = 0
        self._name = ""
        self._axis = jumps.Axis(1.0)
        self._last_ns: int | None = None
        self._is_stream = False

    def begin(self, source: Source) -> None:
        """Begin another source."""
        self.end()
        self._name, self._is_stream, self._last_ns = source.name, source.is_stream, None
        self._axis = jumps.Axis(source.rate_hz, self.end_s, closes=source.has_clock)
        self.period_s = jumps.period_s(source.rate_hz)

    def end(self) -> None:
        """End a source: name what its clock did."""
        if self._axis.jumps:
            steps = "; ".join(jumps.described(*jump) for jump in self._axis.jumps[:_NAMED_JUMPS])
            more = len(self._axis.jumps) - _NAMED_JUMPS
            steps += f"; and {more} more" if more > 0 else ""
            _log.warning("%s: the clock jumps by %s. The report's time leaves this out", self._name, steps)
            self._axis.jumps.clear()

    def at(self, shot: Shot) -> float:
        """The place of the next shot, in seconds since the first."""
        time_s = self._axis.at(shot.time_ns)
        # A driver may leave all stamps at zero; then the time of recording is all that there is.
        stamp_ns = shot.stamp_ns or shot.time_ns
        missing = 0
        self.is_neighbour = False
        last_ns = self._last_ns if self._is_stream else None
        if last_ns is not None and not jumps.is_jump(last_ns, stamp_ns, self.period_s):
            missing = max(0, round((stamp_ns - last_ns) / 1e9 / self.period_s) - 1)
            self.is_neighbour = not missing
        self.missing += missing
        self._last_ns = stamp_ns
        self.end_s = max(self.end_s, time_s + self.period_s)
        return time_s
