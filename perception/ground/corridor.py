"""Corridor: the way ahead between two edges, and the lane at one place of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.ground.camera import Points
from perception.ground.edges import Edge
from perception.ground.floor import Plan

Unknown = Literal["", "unsure", "no_edges"]
End = Literal["view", "blocked", "unsure"]
_BEYOND = 0.06  # of the plan's reach, how far an edge is believed beyond where it is seen
_BLOCKED = 0.4  # of the middle third across, that is neither drivable nor a line
_UNEVEN, _EVEN = 0.3, 0.6  # of its width a lane may change, and how much of the way has to be so even
_NOWHERE = np.zeros((0, 2))
_NO_HEADING = np.zeros(0)


@dataclass(frozen=True)
class Lane:
    """Where the lane is at one distance ahead.

    Attributes:
        ahead_m: the distance.
        offset_m: how far the lane's middle is to the left of the car's own way straight ahead.
        heading_rad: the lane's direction, to the left of the car's.
        width_m: of the lane.
    """

    ahead_m: float
    offset_m: float
    heading_rad: float
    width_m: float


@dataclass(frozen=True, eq=False)
class Corridor:
    """The way ahead; false if nothing is known about it. Its arrays are read-only.

    Attributes:
        middle: (N, 2) m ahead and left, the nearest first, a plan's row apart.
        heading_rad: (N,) its direction, to the left of the car's.
        width_m: between the edges; 0 if it is unknown.
        sides: which edges are seen: ``"both"``, ``"left"`` or ``"right"`` (the other is as far away as it
            was), or ``""``.
        end: why it goes no further: ``"view"`` (edges or pictures end), ``"blocked"``, or ``"unsure"``.
        why: what keeps it from being known: ``"unsure"`` (the mask's confidence is low), ``"no_edges"``.
    """

    middle: Points = field(default_factory=lambda: _NOWHERE)
    heading_rad: Points = field(default_factory=lambda: _NO_HEADING)
    width_m: float = 0.0
    sides: str = ""
    end: End = "view"
    why: Unknown = ""

    def __post_init__(self) -> None:
        self.middle.flags.writeable = False
        self.heading_rad.flags.writeable = False

    def __bool__(self) -> bool:
        return len(self.middle) > 0

    def lane(self, ahead_m: float) -> Lane | None:
        """The lane at a distance ahead; None where the corridor is not known."""
        if not self or not self.middle[0, 0] - 1e-6 <= ahead_m <= self.middle[-1, 0] + 1e-6:
            return None
        at = self.middle[:, 0]
        offset = float(np.interp(ahead_m, at, self.middle[:, 1]))
        return Lane(ahead_m, offset, float(np.interp(ahead_m, at, self.heading_rad)), self.width_m)

    def edges(self) -> tuple[Points, Points]:
        """Its left and right edge, (N, 2) m each."""
        aside = np.stack([-np.sin(self.heading_rad), np.cos(self.heading_rad)], axis=1) * self.width_m / 2
        return self.middle + aside, self.middle - aside

    def moved(self, offset_m: float, heading_rad: float, ahead_m: float) -> Corridor:
        """Shifted and turned a little, so that its lane at a distance is another one."""
        left = offset_m + np.tan(heading_rad) * (self.middle[:, 0] - ahead_m)
        middle = np.stack([self.middle[:, 0], self.middle[:, 1] + left], axis=1)
        return Corridor(middle, self.heading_rad + heading_rad, self.width_m, self.sides, self.end, self.why)


def between(left: Edge | None, right: Edge | None, plan: Plan, *, width_m: float | None) -> Corridor:
    """The way between two edges, as far as both are seen; or beside one, if the width is known.

    Args:
        left: the edge to the left.
        right: the edge to the right.
        plan: what they were seen in.
        width_m: of the lane, for where only one edge is seen.
    """
    seen = [edge for edge in (left, right) if edge is not None]
    if not seen or (len(seen) == 1 and width_m is None):
        return Corridor(why="no_edges")
    margin = _BEYOND * plan.reach_m
    start, end = max(e.from_m for e in seen) - margin, min(e.to_m for e in seen) + margin
    ahead = plan.ahead_m[(plan.ahead_m >= start) & (plan.ahead_m <= end)]
    ahead = ahead[ahead >= plan.ahead_m[plan.seen.any(axis=1)][0]]
    if len(ahead) < 2:
        return Corridor(why="no_edges")
    middle, slope = _middle(left, right, ahead, width_m)
    heading = np.arctan(slope)
    way = np.stack([ahead, middle], axis=1)
    if left is None or right is None:
        return Corridor(way, heading, float(width_m or 0.0), "left" if left is not None else "right")
    widths = np.sum([np.abs(_across(edge, ahead, middle, heading)) for edge in (left, right)], axis=0)
    width_m = float(np.median(widths))
    start, end = _longest(np.abs(widths - width_m) <= _UNEVEN * width_m)
    if end - start < _EVEN * len(ahead):  # edges of two things that are not the two sides of one lane
        return Corridor(why="no_edges")
    return Corridor(way[start:end].copy(), heading[start:end].copy(), width_m, "both")


def _longest(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """First of the longest run that is set, and the one after its last."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = list(zip(steps[::2].tolist(), steps[1::2].tolist()))
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))


def _middle(
    left: Edge | None, right: Edge | None, ahead: Points, width_m: float | None
) -> tuple[Points, Points]:
    """Where the middle is and how it slopes: as far from one edge as from the other, straight across."""
    seen = [edge for edge in (left, right) if edge is not None]
    slope = np.mean([edge.slope(ahead) for edge in seen], axis=0)
    middle = np.mean([edge.left_m(ahead) for edge in seen], axis=0)
    if len(seen) == 1:
        middle = middle + (-0.5 if left is not None else 0.5) * (width_m or 0.0)
    for _ in range(4):
        heading = np.arctan(slope)
        aims = [
            (edge, sign * (width_m or 0.0) / 2 if len(seen) == 1 else 0.0)
            for edge, sign in ((left, 1), (right, -1))
            if edge is not None
        ]
        off = np.mean([_across(edge, ahead, middle, heading) - aim for edge, aim in aims], axis=0)
        middle = middle + off * np.cos(heading)
        slope = np.gradient(middle, ahead)
    return middle, slope


def _across(edge: Edge, ahead: Points, middle: Points, heading: Points) -> Points:
    """How far an edge is to the left of points, straight across their direction (Newton's method)."""
    sine, cosine = np.sin(heading), np.cos(heading)
    away = edge.left_m(ahead) - middle
    for _ in range(4):
        at = ahead - sine * away
        miss = middle + cosine * away - edge.left_m(at)
        rate = cosine + sine * edge.slope(at)
        away = away - miss / np.where(np.abs(rate) > 0.1, rate, 0.1)
    return away


def until_blocked(
    corridor: Corridor, free: NDArray[np.uint8], lines: NDArray[np.uint8], sure: NDArray[np.bool_], plan: Plan
) -> Corridor:
    """The corridor up to where something is in the way, or the mask is unsure.

    Args:
        corridor: the way between the edges.
        free: (R, C), 255 where a cell is drivable.
        lines: (R, C), 255 where a line is, which can be driven over.
        sure: (R, C) cells that are in the picture, and of which the mask is sure.
        plan: theirs.
    """
    if not corridor:
        return corridor
    away = np.linspace(-1, 1, 9) * corridor.width_m / 6
    heading = corridor.heading_rad[:, None]
    ahead = corridor.middle[:, :1] - np.sin(heading) * away
    rows, columns, inside = cells(plan, ahead, corridor.middle[:, 1:] + np.cos(heading) * away)
    known = sure[rows, columns] & inside
    passed = np.maximum(free, lines)[rows, columns] >= 128
    is_known = known.mean(axis=1) >= 0.5
    if not is_known.any():
        return Corridor(why="unsure")
    is_blocked = _twice((passed | ~known).mean(axis=1) < 1 - _BLOCKED)
    is_unsure = _twice(~is_known) & (np.arange(len(known)) > int(is_known.argmax()))
    stops = np.flatnonzero(is_blocked | is_unsure)
    if not len(stops):
        return corridor
    count = int(stops[0])
    if count < 2:
        why: Unknown = "unsure" if is_unsure[count] else "no_edges"
        return Corridor(why=why)
    end: End = "unsure" if is_unsure[count] and not is_blocked[count] else "blocked"
    return Corridor(
        corridor.middle[:count].copy(), corridor.heading_rad[:count].copy(), corridor.width_m,
        corridor.sides, end,
    )  # fmt: skip


def cells(
    plan: Plan, ahead: Points, left: Points
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row and column of places, limited to the plan, and whether they are in it."""
    rows = np.floor(ahead / plan.cell_m).astype(np.int64)
    columns = np.floor(left / plan.cell_m).astype(np.int64) + len(plan.left_m) // 2
    inside = (rows >= 0) & (rows < len(plan.ahead_m)) & (columns >= 0) & (columns < len(plan.left_m))
    return np.clip(rows, 0, len(plan.ahead_m) - 1), np.clip(columns, 0, len(plan.left_m) - 1), inside


def _twice(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only where two in a row are set, because one alone is a speck."""
    return flags & np.append(flags[1:], flags[-1:])
