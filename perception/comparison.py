"""Comparison: what two models of one task say about the same drive, side by side, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.differences import Difference, between
from perception.model import Result
from perception.observed import Observed, Observer
from perception.samples import Curve, Mean, Points

PICTURES = 12
APART_S = 1.0  # pictures closer than this in a stream would show the same place twice

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Moment:
    """A frame about which the two models differ.

    Attributes:
        time_s: seconds since the drive's first frame.
        frame: number of the frame, from 0, bad ones included.
        name: of the picture file; empty where frames have no names.
        share: how much differs, as a share of the pixels or things, 0…1.
        count: how many pixels or things differ.
        changes: the most frequent differences: (label of the first, of the second, how many).
        picture: (H, W, 3) uint8 BGR, both results.
    """

    time_s: float
    frame: int
    name: str
    share: float
    count: int
    changes: tuple[tuple[str, str, int], ...]
    picture: Picture = field(repr=False, compare=False)


@dataclass(frozen=True)
class Side:
    """One of the two models and what it said.

    Attributes:
        model: where it is from.
        trained_on: as its file says.
        device: where it ran.
        observed: what it said.
    """

    model: str
    trained_on: str
    device: str
    observed: Observed


@dataclass(frozen=True)
class TaskComparison:
    """Two models of one task.

    Attributes:
        task: the task.
        sides: the first model and the second.
        counted: what is counted where they differ: ``"pixels"`` or ``"things"``; empty if they give neither.
        difference: mean share of the pixels of a frame that differ; of things, those that differ of all.
        difference_over_time: the same for each frame, as a curve.
        pairs: (label of the first, label of the second) → pixels or things over the drive; ``""`` is
            what one of them has not. What both say is in it, too.
        moments: the frames that differ most, the first most of all.
    """

    task: str
    sides: tuple[Side, Side]
    counted: str
    difference: float | None
    difference_over_time: Points
    pairs: Mapping[tuple[str, str], int]
    moments: tuple[Moment, ...]


@dataclass(frozen=True)
class Comparison:
    """Two sets of models on the same frames.

    Attributes:
        inputs: names of the inputs.
        frames: good frames.
        bad: reason → bad frames.
        end_s: how long the drive is.
        tasks: each task that both sides have.
        remarks: warnings that came up.
        damage: where and why an input broke off; empty if none did.
    """

    inputs: tuple[str, ...]
    frames: int
    bad: Mapping[str, int]
    end_s: float
    tasks: tuple[TaskComparison, ...]
    remarks: tuple[str, ...] = ()
    damage: str = ""

    def to_json(self) -> dict[str, Any]:
        """Ready for ``json.dumps``, without the pictures."""
        return asdict(self) | {"tasks": [_task_to_json(task) for task in self.tasks]}


class Comparer:
    """Collects what two models of one task say, frame by frame."""

    def __init__(self) -> None:
        self._observers = (Observer(), Observer())
        self._share = Mean()
        self._curve = Curve()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._counts_pixels = False
        self._gallery = Gallery()

    def pause(self) -> None:
        """The next frame is no neighbour of the last one."""
        for observer in self._observers:
            observer.pause()

    def add(
        self,
        time_s: float,
        frame: int,
        results: tuple[Result, Result],
        draw: Callable[[Difference], Picture],
        *,
        name: str = "",
        apart_s: float = APART_S,
    ) -> None:
        """Take in both results of the next frame.

        Args:
            time_s: since the first frame.
            frame: its number.
            results: of the first model and the second.
            draw: makes the picture; called for those that are kept only.
            name: of the picture file.
            apart_s: of pictures that are closer than this, only one is kept.
        """
        for observer, result in zip(self._observers, results, strict=True):
            observer.add(time_s, result)
        difference = between(*results)
        if difference is None:
            return
        self._pairs.update(difference.pairs)
        self._counts_pixels = difference.where is not None
        self._share.add(difference.share)
        self._curve.add(time_s, difference.share)
        if difference.count and self._gallery.wants(time_s, difference.count, apart_s):
            changes = Counter({key: n for key, n in difference.pairs.items() if key[0] != key[1]})
            most = tuple((*labels, number) for labels, number in changes.most_common(3))
            picture = draw(difference)
            moment = Moment(time_s, frame, name, difference.share, difference.count, most, picture)
            self._gallery.add(moment, apart_s)

    def compared(self, task: str, models: Sequence[tuple[str, str, str]]) -> TaskComparison:
        """What was said so far; the models are given by path, what they were trained on, and device."""
        first, second = (
            Side(*model, observer.observed()) for model, observer in zip(models, self._observers, strict=True)
        )
        difference = self._share.value
        if self._share.count and not self._counts_pixels:
            total, differ = self._pairs.total(), sum(n for (a, b), n in self._pairs.items() if a != b)
            difference = differ / total if total else 0.0
        counted = ("pixels" if self._counts_pixels else "things") if self._share.count else ""
        pairs = dict(self._pairs.most_common())
        return TaskComparison(
            task, (first, second), counted, difference, self._curve.points(), pairs, self._gallery.moments()
        )


class Gallery:
    """Keeps the few moments that differ most, none close to another.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = PICTURES) -> None:
        self._size = size
        self._moments: list[Moment] = []

    def wants(self, time_s: float, count: int, apart_s: float) -> bool:
        """Whether a moment with so many differences would be kept."""
        rivals = self._close_to(time_s, apart_s)
        if not rivals and len(self._moments) >= self._size:
            rivals = [min(self._moments, key=lambda moment: moment.count)]
        return all(count > rival.count for rival in rivals)

    def add(self, moment: Moment, apart_s: float) -> None:
        """Keep a moment in place of those it wins against."""
        rivals = self._close_to(moment.time_s, apart_s)
        kept = [other for other in self._moments if other not in rivals]
        self._moments = sorted([*kept, moment], key=lambda other: (-other.count, other.time_s))[: self._size]

    def moments(self) -> tuple[Moment, ...]:
        """The moments, the one that differs most first."""
        return tuple(self._moments)

    def _close_to(self, time_s: float, apart_s: float) -> list[Moment]:
        return [moment for moment in self._moments if abs(moment.time_s - time_s) < apart_s]


def _task_to_json(task: TaskComparison) -> dict[str, Any]:
    raw = asdict(task)
    raw["pairs"] = [[first, second, number] for (first, second), number in task.pairs.items()]
    for moment in raw["moments"]:
        del moment["picture"]
    return raw
