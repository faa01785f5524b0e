"""Observed: what one model said over a whole drive, collected frame by frame in bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from perception.model import Followed, HasShares, NamesThings, Result, Sighting
from perception.samples import Curve, Mean, Points, Stages
from perception.steadiness import Flicker, Steadiness


@dataclass(frozen=True)
class Passage:
    """When a thing that is followed was in view as one class, once it was confirmed.

    Attributes:
        id: of the thing.
        label: the class.
        from_s: when it was first confirmed as it; seconds since the drive's first frame.
        to_s: when it was last.
        frames: in how many frames it was.
        best: 0…1, its highest score.
    """

    id: int
    label: str
    from_s: float
    to_s: float
    frames: int
    best: float


class Passages:
    """Collects the passages of a stream."""

    def __init__(self) -> None:
        self._passages: dict[tuple[int, str], Passage] = {}

    def add(self, time_s: float, thing: Sighting) -> None:
        """Take in one thing of a frame; only what is followed and confirmed counts."""
        if not isinstance(thing, Followed) or not thing.is_confirmed:
            return
        before = self._passages.get((thing.id, thing.label))
        from_s, to_s, frames, best = time_s, time_s, 0, 0.0
        if before is not None:
            from_s, to_s, frames, best = before.from_s, max(before.to_s, time_s), before.frames, before.best
        passage = Passage(thing.id, thing.label, from_s, to_s, frames + 1, max(best, thing.score))
        self._passages[thing.id, thing.label] = passage

    def all(self) -> tuple[Passage, ...]:
        """The passages so far, in the order of their beginning."""
        return tuple(self._passages.values())


@dataclass(frozen=True)
class Observed:
    """What one model said over a drive.

    Attributes:
        shares: label → mean share of the frame, 0…1, the largest first.
        shares_over_time: the same as curves.
        flicker: what changed between neighbouring frames.
        flicker_over_time: share of pixels that changed, as a curve; empty without masks.
        sightings: label → in how many frames a known thing had it, counted once for each thing.
        passages: what was followed and confirmed, from when to when.
        latency_ms: stage → 50th, 95th and 99th percentile in milliseconds.
    """

    shares: Mapping[str, float]
    shares_over_time: Mapping[str, Points]
    flicker: Flicker
    flicker_over_time: Points
    sightings: Mapping[str, int]
    passages: tuple[Passage, ...]
    latency_ms: Mapping[str, tuple[float, ...]]


class Observer:
    """Collects what one model says, result by result."""

    def __init__(self) -> None:
        self._shares: defaultdict[str, Mean] = defaultdict(Mean)
        self._share_curves: defaultdict[str, Curve] = defaultdict(Curve)
        self._steadiness = Steadiness()
        self._flicker = Curve()
        self._sightings: Counter[str] = Counter()
        self._passages = Passages()
        self._stages = Stages()

    def pause(self) -> None:
        """The next result is no neighbour of the last one."""
        self._steadiness.pause()

    def add(self, time_s: float, result: Result) -> None:
        """Take in the result of the next frame."""
        if isinstance(result, HasShares):
            for label, share in result.fractions().items():
                self._shares[label].add(share)
                self._share_curves[label].add(time_s, share)
        if isinstance(result, NamesThings):
            for thing in result.sightings():
                self._sightings.update([thing.label] if thing else [])
                self._passages.add(time_s, thing)
        changed = self._steadiness.add(result)
        if changed is not None:
            self._flicker.add(time_s, changed)
        latency_ms = dict(result.latency_ms)
        self._stages.add(latency_ms | {"total": sum(latency_ms.values())} if latency_ms else {})

    def observed(self) -> Observed:
        """What was said so far."""
        means = {label: mean.value or 0.0 for label, mean in self._shares.items()}
        largest = dict(sorted(means.items(), key=lambda item: -item[1]))
        return Observed(
            shares=largest,
            shares_over_time={label: self._share_curves[label].points() for label in largest},
            flicker=self._steadiness.flicker(),
            flicker_over_time=self._flicker.points(),
            sightings=dict(self._sightings.most_common()),
            passages=self._passages.all(),
            latency_ms=self._stages.percentiles(),
        )
