"""Latency: how long each stage of the frame path takes, per frame and over the last thousand."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping

import numpy as np

NO_LAPS: Mapping[str, float] = {}


class Stopwatch:
    """Times the stages of one frame, one after the other.

    Attributes:
        laps_ms: milliseconds by stage so far; a result may refer to it before the last stage ends.
    """

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage; the next one begins now."""
        now = time.perf_counter()
        self.laps_ms[stage] = (now - self._last) * 1000.0
        self._last = now


class Latency:
    """The last frames' milliseconds by stage.

    Args:
        window: how many frames are remembered.
    """

    def __init__(self, window: int = 1000) -> None:
        self._window = window
        self._stages: dict[str, deque[float]] = {}

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Add one frame, for example ``result.latency_ms``."""
        for stage, value in latency_ms.items():
            self._stages.setdefault(stage, deque(maxlen=self._window)).append(value)

    def percentiles(self) -> dict[str, tuple[float, float, float]]:
        """The 50th, 95th and 99th percentile in milliseconds by stage, in the order of their first frames."""
        result = {}
        for stage, values in list(self._stages.items()):  # another thread may add meanwhile
            p50, p95, p99 = np.percentile(list(values), (50, 95, 99)).tolist()
            result[stage] = (p50, p95, p99)
        return result
