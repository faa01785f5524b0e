"""Samples: what is kept of numbers that come for hours, so that memory does not grow with them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np

SAMPLE = 10_000  # values; up to so many, percentiles are exact
POINTS = 400  # of a curve, which is not much wider in pixels

Points = tuple[tuple[float, float], ...]


class Reservoir:
    """A random sample of all values so far, each as likely as any other (algorithm R, Vitter 1985).

    The same values always give the same sample.

    Args:
        size: how many values are kept.
    """

    def __init__(self, size: int = SAMPLE) -> None:
        self._size = size
        self._count = 0
        self._kept: list[float] = []
        self._random = Random(0)

    def add(self, value: float) -> None:
        """Add a value."""
        self._count += 1
        if len(self._kept) < self._size:
            self._kept.append(value)
        elif (place := self._random.randrange(self._count)) < self._size:
            self._kept[place] = value

    def percentiles(self, *percents: float) -> tuple[float, ...]:
        """The values below which so many percent are; there must be one value at least."""
        return tuple(np.percentile(self._kept, percents).tolist())


class Stages:
    """Milliseconds by stage over a whole drive; ``latency.Latency`` has the last frames only."""

    def __init__(self) -> None:
        self._stages: dict[str, Reservoir] = {}

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Add one frame, for example ``result.latency_ms``."""
        for stage, value in latency_ms.items():
            self._stages.setdefault(stage, Reservoir()).add(value)

    def percentile(self, stage: str, percent: float) -> float | None:
        """One percentile in milliseconds; None if the stage was never measured."""
        return self._stages[stage].percentiles(percent)[0] if stage in self._stages else None

    def percentiles(self) -> dict[str, tuple[float, ...]]:
        """The 50th, 95th and 99th percentile in milliseconds by stage, in the order of their first frames."""
        return {stage: values.percentiles(50, 95, 99) for stage, values in self._stages.items()}


class Curve:
    """Values over time as a few hundred points, each the mean of as many neighbours as the others.

    Args:
        points: how many there are at least of a long series; there are never twice as many.
    """

    def __init__(self, points: int = POINTS) -> None:
        self._most = 2 * points
        self._points: list[tuple[float, float]] = []
        self._step = 1
        self._waiting: list[tuple[float, float]] = []

    def add(self, time_s: float, value: float) -> None:
        """Add a value; times ascend."""
        self._waiting.append((time_s, value))
        if len(self._waiting) < self._step:
            return
        self._points.append(_mean(self._waiting))
        self._waiting.clear()
        if len(self._points) == self._most:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_mean(pair) for pair in pairs]
            self._step *= 2

    def points(self) -> Points:
        """(time in seconds, value), times ascending; the last point may be of fewer neighbours."""
        return (*self._points, *([_mean(self._waiting)] if self._waiting else []))


class Mean:
    """The mean of values, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Add a value."""
        self.count += 1
        self._sum += value

    @property
    def value(self) -> float | None:
        """The mean; None without a value."""
        return self._sum / self.count if self.count else None


def _mean(points: list[tuple[float, float]] | tuple[tuple[float, float], ...]) -> tuple[float, float]:
    times, values = zip(*points, strict=True)
    return sum(times) / len(times), sum(values) / len(values)
