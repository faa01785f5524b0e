"""Steady: corridor, lane and stop line of a stream, calmer than those of each frame.

Small Kalman filters take the stamps of the frames: one each for the lane's offset and heading, one for the
distance and speed of a stop line. What is not seen is bridged for a moment only, and is unknown then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from perception.errors import CameraError
from perception.ground import LINES, Ground
from perception.ground.corridor import Corridor, Lane
from perception.ground.marks import drawn
from perception.ground.stop_line import StopLine
from perception.latency import Stopwatch
from perception.segmentation import RoadMask

HOLD_S = 0.3  # what is not seen stays for so long
BACK_S, FORGET_S = 0.5, 3.0  # a stamp so much earlier, or so much later, is a stream that begins anew
_JUMPS = 3  # frames in a row that have to agree on what the filter does not expect


@dataclass(frozen=True)
class _Noise:
    """What a filter of one value expects: how fast it changes in a second, and how far off one frame is."""

    change: float
    off: float


_OFFSET, _HEADING = _Noise(0.3, 0.01), _Noise(1.0, 0.03)
_ACCELERATION, _DISTANCE_OFF, _FASTEST = 4.0, 0.012, 3.0  # of a stop line that is driven to: m/s², m, m/s


@dataclass(frozen=True, eq=False)
class OnGround:
    """What is known of the floor after a frame.

    Attributes:
        size_hw: of the mask.
        corridor: the way ahead.
        lane: where the lane is at the look-ahead distance; None where that is unknown.
        stop_line: whether a line lies across the way.
        ground: what measured it.
        latency_ms: by stage.
    """

    size_hw: tuple[int, int]
    corridor: Corridor
    lane: Lane | None
    stop_line: StopLine
    ground: Ground = field(repr=False)
    latency_ms: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def points(self) -> NDArray[np.float32]:
        """(H, W, 3) float32, of each pixel of the mask; see :meth:`perception.Ground.points`."""
        return self.ground.floor_at(self.size_hw).cloud

    def overlay(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the frame, (H, W, 3) uint8 BGR, with corridor, lane and stop line drawn in."""
        floor = self.ground.floor_at((frame.shape[0], frame.shape[1]))
        return drawn(frame, floor, self.corridor, self.lane, self.stop_line)


class GroundFollower:
    """Follows corridor, lane and stop line through a stream.

    Args:
        ground: measures them in each frame.
        ahead_m: the look-ahead distance, at which the lane is given.
        drivable: labels that can be driven on.
        lines: labels that bound a lane.

    Raises:
        CameraError: the camera does not see the floor at the look-ahead distance.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        ahead_m: float = 0.5,
        drivable: Sequence[str] = ("floor",),
        lines: Sequence[str] = LINES,
    ) -> None:
        near_m, far_m = ground.seen_m()
        if not near_m <= ahead_m <= far_m:
            raise CameraError(
                f"camera: it sees the floor from {near_m:.2f} to {far_m:.2f} m ahead, and not at the "
                f"look-ahead distance of {ahead_m:g} m; set that (lane_ahead_m) in between, or tilt it"
            )
        self.ground = ground
        self.ahead_m = ahead_m
        self.drivable = tuple(drivable)
        self.lines = tuple(lines)
        self.reset()

    def reset(self) -> None:
        """Forget all frames, as before another stream."""
        self._offset, self._heading = _Value(_OFFSET), _Value(_HEADING)
        self._line = _Approach()
        self._width_m: float | None = None
        self._last = Corridor()
        self._seen_ns: int | None = None
        self._now_ns: int | None = None

    def update(self, mask: RoadMask, stamp_ns: int) -> OnGround:
        """Take in the mask of the next frame.

        Args:
            mask: of one frame.
            stamp_ns: when the frame was taken. One a little older than the last is used without moving time
                back; one that is much older, or much newer, starts everything anew.

        Raises:
            KeyError: the mask has no label of ``drivable``; the message lists those it has.
        """
        watch = Stopwatch()
        if self._now_ns is not None and not -BACK_S <= (stamp_ns - self._now_ns) / 1e9 <= FORGET_S:
            self.reset()
        seconds = 0.0 if self._now_ns is None else max(0.0, (stamp_ns - self._now_ns) / 1e9)
        self._now_ns = stamp_ns if self._now_ns is None else max(self._now_ns, stamp_ns)
        seen = self.ground.corridor(mask, self.drivable, lines=self.lines, width_m=self._width_m)
        way = self._steadied(seen, seconds)
        found = self.ground.stop_line(mask, way, lines=self.lines)
        line = self._line.update(found, seconds)
        watch.lap("ground")
        size_hw = (int(mask.class_ids.shape[0]), int(mask.class_ids.shape[1]))
        return OnGround(size_hw, way, way.lane(self.ahead_m), line, self.ground, watch.laps_ms)

    def _steadied(self, seen: Corridor, seconds: float) -> Corridor:
        """The corridor, shifted to where the filters have its lane; the last one where none is seen."""
        assert self._now_ns is not None
        self._offset.wait(seconds)
        self._heading.wait(seconds)
        lane = seen.lane(self.ahead_m)
        if lane is None:
            held_s = math.inf if self._seen_ns is None else (self._now_ns - self._seen_ns) / 1e9
            if seen or held_s > HOLD_S:
                return seen
            return self._last
        self._seen_ns = self._now_ns
        if seen.sides == "both":
            self._width_m = (
                lane.width_m if self._width_m is None else 0.8 * self._width_m + 0.2 * lane.width_m
            )
        if not self._offset.take(lane.offset_m):
            self._heading.restart()  # another lane than before
        self._heading.take(lane.heading_rad)
        self._last = seen.moved(
            self._offset.value - lane.offset_m, self._heading.value - lane.heading_rad, self.ahead_m
        )
        return self._last


class _Value:
    """A Kalman filter of one value that wanders."""

    def __init__(self, noise: _Noise) -> None:
        self._noise = noise
        self.restart()

    def restart(self) -> None:
        self.value = 0.0
        self._variance = math.inf
        self._jumps = 0

    def wait(self, seconds: float) -> None:
        """Time passes, and the value may change."""
        self._variance += (self._noise.change * seconds) ** 2

    def take(self, measured: float) -> bool:
        """Take in a measurement; False if the filter has begun anew with it.

        One that is far from what is expected is left out, unless several in a row are.
        """
        off = self._noise.off**2
        if math.isinf(self._variance):
            self.value, self._variance = measured, off
            return False
        if abs(measured - self.value) > 4 * math.sqrt(self._variance + off):
            self._jumps += 1
            if self._jumps >= _JUMPS:
                self.value, self._variance, self._jumps = measured, off, 0
                return False
            return True
        self._jumps = 0
        gain = self._variance / (self._variance + off)
        self.value += gain * (measured - self.value)
        self._variance *= 1 - gain
        return True


class _Approach:
    """A Kalman filter of the distance and the speed of a stop line."""

    def __init__(self) -> None:
        self._state = np.zeros(2)  # m, m/s
        self._spread = np.zeros((2, 2))
        self._frames = 0
        self._unseen_s = 0.0
        self._angle = 0.0

    def update(self, found: StopLine, seconds: float) -> StopLine:
        """Take in what one frame shows; a line counts from the second frame on that shows it."""
        self._wait(seconds)
        if found.state == "seen":
            self._take(found)
            return self._known(found) if self._frames > 1 else _unknown(found)
        self._unseen_s += seconds
        if self._frames < 2 or self._unseen_s > HOLD_S or self._state[0] < 0:
            self._frames = 0
            return found
        return self._known(found)

    def _known(self, found: StopLine) -> StopLine:
        distance = max(0.0, float(self._state[0]))
        return StopLine("seen", distance, self._angle, found.from_m, found.to_m)

    def _wait(self, seconds: float) -> None:
        move = np.array([[1.0, seconds], [0.0, 1.0]])
        push = np.array([seconds**2 / 2, seconds]) * _ACCELERATION
        self._state = move @ self._state
        self._spread = move @ self._spread @ move.T + np.outer(push, push)

    def _take(self, found: StopLine) -> None:
        off = found.distance_m - self._state[0]
        variance = self._spread[0, 0] + _DISTANCE_OFF**2
        if self._frames and off**2 > 16 * variance:
            self._frames = 0  # another line than before
        if not self._frames:
            self._state = np.array([found.distance_m, 0.0])
            self._spread = np.diag([_DISTANCE_OFF**2, _FASTEST**2])
        else:
            gain = self._spread[:, 0] / variance
            self._state = self._state + gain * off
            self._spread = self._spread - np.outer(gain, self._spread[0])
        self._frames += 1
        self._unseen_s = 0.0
        self._angle = found.angle_rad


def _unknown(found: StopLine) -> StopLine:
    return replace(found, state="unknown", distance_m=math.nan)
