"""Stop line: a line across the way, and how far away it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.ground.camera import Points
from perception.ground.corridor import Corridor, cells
from perception.ground.floor import Plan

State = Literal["seen", "none", "unknown"]
_TURNS = np.tan(np.radians(np.arange(-32, 33, 4)))  # against straight across the way
_COLUMNS = 15
_HALF = 0.35  # of the lane's width to each side; the outer parts may be of the lane's own lines
_NARROW = 0.04  # of the plan's reach, to each side, where no lane is known
_FULL = 0.75  # of its width is a line; stripes of a crosswalk have about half
_THICKEST = 0.075  # of the plan's reach
_LOOKED = 0.7  # of the way has to be known to say that there is none


@dataclass(frozen=True)
class StopLine:
    """Whether a line lies across the way.

    Attributes:
        state: ``"seen"``, ``"none"``, or ``"unknown"``: the way is not in the picture, or the mask is unsure.
        distance_m: to its nearer edge, along the way, from the point below the lens; NaN if it is not seen.
        angle_rad: by which it is turned to the left of straight across.
        from_m: nearest floor that was looked at; NaN if none was.
        to_m: farthest floor at which a line would have been seen.
    """

    state: State
    distance_m: float = float("nan")
    angle_rad: float = 0.0
    from_m: float = float("nan")
    to_m: float = float("nan")


def find(
    corridor: Corridor, lines: NDArray[np.uint8], sure: NDArray[np.bool_], plan: Plan, *, to_m: float
) -> StopLine:
    """Look for a line across the corridor, or if none is known, across the way straight ahead.

    Args:
        corridor: the way.
        lines: (R, C), 255 where a line is.
        sure: (R, C) cells that are in the picture, and of which the mask is sure.
        plan: theirs.
        to_m: how far ahead the picture shows lines.
    """
    middle, heading, half = _way(corridor, plan)
    ahead = middle[:, 0]
    across = np.linspace(-half, half, _COLUMNS)
    rows, columns, inside = cells(
        plan, ahead[:, None] - np.sin(heading)[:, None] * across,
        middle[:, 1:] + np.cos(heading)[:, None] * across,
    )  # fmt: skip
    known = sure[rows, columns] & inside
    looked = (known.mean(axis=1) > 0.8) & (ahead <= to_m)
    if not looked.any():
        return StopLine("unknown")
    first, last = float(ahead[looked][0]), float(ahead[looked][-1])
    level = np.where(known, lines[rows, columns] / np.float32(255), np.float32(0))
    found = _nearest(level, across, plan)
    if found is not None:
        row, turn = found
        distance = float(np.interp(row, np.arange(len(ahead)), ahead))
        if distance <= to_m:
            return StopLine("seen", distance, float(np.arctan(turn)), first, last)
    wanted = (ahead >= first) & (ahead <= to_m)
    state: State = "none" if looked[wanted].mean() >= _LOOKED and last > 2 * first else "unknown"
    return StopLine(state, from_m=first, to_m=last)


def _way(corridor: Corridor, plan: Plan) -> tuple[Points, Points, float]:
    """Middle and heading of every row of the plan, and how far to look aside."""
    ahead: Points = plan.ahead_m
    if not corridor:
        return np.stack([ahead, 0 * ahead], axis=1), 0 * ahead, _NARROW * plan.reach_m
    known: Points = corridor.middle[:, 0]
    heading: Points = np.asarray(np.interp(ahead, known, corridor.heading_rad), np.float64)
    left: Points = np.asarray(np.interp(ahead, known, corridor.middle[:, 1]), np.float64)
    beyond = np.maximum(ahead - known[-1], 0.0) + np.minimum(ahead - known[0], 0.0)
    left = np.asarray(left + beyond * np.tan(heading), np.float64)
    return np.stack([ahead, left], axis=1), heading, _HALF * corridor.width_m


def _nearest(level: NDArray[np.float32], across: Points, plan: Plan) -> tuple[float, float] | None:
    """Row at which the nearest line begins, with a part, and its turn; None if there is none."""
    best: tuple[float, float, float] | None = None
    rows = np.arange(len(level))
    for turn in _TURNS[np.argsort(np.abs(_TURNS))]:
        shifts = np.rint(turn * across / plan.cell_m).astype(np.int64)
        index = np.clip(rows[:, None] + shifts, 0, len(level) - 1)
        straight = np.take_along_axis(level, index, axis=0)
        for start, end in _runs((straight >= 0.5).mean(axis=1) >= _FULL):
            if end - start > _THICKEST * len(level) or (best is not None and start > best[0] + 3):
                continue
            share = float(straight[start:end].mean())
            if best is None or share > best[1] + 0.02:
                exact = turn * across / plan.cell_m - shifts  # what rounding has left
                best = (_begin(straight, start, exact), share, turn)
            break
    return None if best is None else (best[0], best[2])


def _begin(level: NDArray[np.float32], start: int, exact: Points) -> float:
    """Where a line begins, between two rows, as most of its columns have it."""
    begins = []
    for column, part in zip(level.T, exact):
        inside = np.flatnonzero(column[max(0, start - 3) : start + 4] >= 0.5)
        row = max(0, start - 3) + int(inside[0]) if len(inside) else 0
        if row > 0:
            before, after = float(column[row - 1]), float(column[row])
            step = (after - 0.5) / (after - before) if before < 0.5 else 0.0
            begins.append(row - step - part)
    return float(np.median(begins)) if begins else float(start)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row of each run that is set, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))
