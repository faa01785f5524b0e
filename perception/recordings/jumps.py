"""Jumps: where a recording's clock was set, as from 1970 to today when a car's computer finds its network."""

from __future__ import annotations

from datetime import datetime, timezone

JUMP_S = 60.0  # without a message for longer than this, the clock was set, or the recording was paused
_PERIODS = 10  # or for longer than so many periods, where messages are rare
_LONGEST_PERIOD_S = 60.0
_UNITS = (("years", 365.25 * 86400e9), ("days", 86400e9), ("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0))


def period_s(rate_hz: float) -> float:
    """The usual time between two messages, at most a minute, because two may be decades apart."""
    return min(1.0 / rate_hz, _LONGEST_PERIOD_S)


def is_jump(before_ns: int, after_ns: int, period_s: float) -> bool:
    """Whether two times that follow each other are too far apart to be of one drive."""
    return abs(after_ns - before_ns) > max(JUMP_S, _PERIODS * period_s) * 1e9


def described(before_ns: int, after_ns: int) -> str:
    """How large a jump is, and from when to when, for people."""
    sign = "-" if after_ns < before_ns else ""
    return f"{sign}{length(abs(after_ns - before_ns))}, from {_date(before_ns)} to {_date(after_ns)}"


def length(time_ns: int) -> str:
    """A time in a unit that suits it, for people."""
    unit, size = next((entry for entry in _UNITS if time_ns >= entry[1]), _UNITS[-1])
    return f"{time_ns / size:.4g} {unit}"


class Axis:
    """Seconds since the first frame, with jumps closed to the usual period.

    Args:
        rate_hz: frames per second.
        begin_s: the first frame's place.
        closes: False keeps jumps; the time of a file that has no clock, such as a video, has no jumps.

    Attributes:
        jumps: the times (before, after) of each jump so far, ns since the epoch.
    """

    def __init__(self, rate_hz: float, begin_s: float = 0.0, *, closes: bool = True) -> None:
        self.jumps: list[tuple[int, int]] = []
        self._period_s = period_s(rate_hz)
        self._time_s = begin_s
        self._closes = closes
        self._last_ns: int | None = None

    def at(self, time_ns: int) -> float:
        """The place of the next frame, which was taken at a time in ns."""
        if self._last_ns is not None:
            if self._closes and is_jump(self._last_ns, time_ns, self._period_s):
                self.jumps.append((self._last_ns, time_ns))
                self._time_s += self._period_s
            else:
                self._time_s += (time_ns - self._last_ns) / 1e9
        self._last_ns = time_ns
        return self._time_s


def _date(time_ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time_ns // 10**9, timezone.utc):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return f"{time_ns // 10**9} s"
