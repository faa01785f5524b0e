"""Edges: the two curves between which a car can drive, out of a plan of the floor.

Each row of the plan has places where what is drivable ends, to the left or to the right. The curve that most
of them lie along, shifted aside, is the lane's (a Hough transform of parallel parabolas): so dashes, gaps,
worn tape and things beside the lane do not mislead it. Then each edge is fitted by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perception.ground.camera import Points
from perception.ground.floor import Plan

_SLOPES = np.linspace(-1.2, 1.2, 17)
_BENDS = np.linspace(-0.8, 0.8, 13)  # of the plan's reach, as are all lengths here
_BIN = 0.02
_MOST = 700  # places that vote
_LEAST_ROWS = 12  # with an edge, before it counts
_SHARE = 0.25  # of the longest edge on this side; shorter ones, such as of a crosswalk, do not count
_NEAR = 0.02  # of its edge a place is, or it is of another one
_STIFF = (0.0, 0.001, 0.01, 0.01)  # how much a shift, a slope, a bend and more are worth, against places
_FIRST, _FURTHER = 0.25, 0.12  # a curve is fitted so far at first, and then so much further each time


@dataclass(frozen=True)
class Edge:
    """One side of a lane: left_m = polynomial(ahead_m).

    Attributes:
        curve: four numbers, the constant first.
        from_m: ahead, where it is first seen.
        to_m: ahead, where it is last seen.
        rows: of the plan in which it is seen.
        off_m: how far the places are from it, root mean square.
    """

    curve: Points
    from_m: float
    to_m: float
    rows: int
    off_m: float

    def left_m(self, ahead_m: Points) -> Points:
        """Where it is."""
        return np.asarray(np.polynomial.polynomial.polyval(ahead_m, self.curve), np.float64)

    def slope(self, ahead_m: Points) -> Points:
        """Metres to the left for one ahead."""
        derived = self.curve[1:] * np.arange(1, len(self.curve))
        return np.asarray(np.polynomial.polynomial.polyval(ahead_m, derived), np.float64)


def ends(free: NDArray[np.uint8], sure: NDArray[np.bool_], plan: Plan) -> tuple[Points, Points]:
    """Places at which what is drivable ends, (N, 2) m ahead and left: to its left, and to its right.

    Args:
        free: (R, C), 255 where a cell is drivable, and between where a border goes through it.
        sure: (R, C) cells that count.
        plan: theirs.
    """
    level = free.astype(np.float32) / 255 - 0.5
    right, left = level[:, :-1], level[:, 1:]
    known = sure[:, :-1] & sure[:, 1:]
    found = []
    for crossing in ((right >= 0) & (left < 0), (right < 0) & (left >= 0)):
        rows, columns = np.nonzero(crossing & known)
        a, b = right[rows, columns], left[rows, columns]
        at = plan.left_m[columns] + plan.cell_m * a / (a - b)
        found.append(np.stack([plan.ahead_m[rows], at], axis=1))
    return found[0], found[1]


def lane_edges(lefts: Points, rights: Points, plan: Plan) -> tuple[Edge | None, Edge | None]:
    """The nearest edges to the left and to the right of the car that are long enough.

    Args:
        lefts: (N, 2), where what is drivable ends to its left.
        rights: the same to its right.
        plan: theirs.
    """
    scale = plan.reach_m
    left, right = lefts / scale, rights / scale
    if len(left) + len(right) < _LEAST_ROWS:
        return None, None
    slope, bend = _shape(left, right)
    nearest = min(float(side[:, 0].min()) for side in (left, right) if len(side))
    car = -slope * nearest - bend * nearest**2
    edges = []
    for side, sign in ((left, 1), (right, -1)):
        shift = side[:, 1] - slope * side[:, 0] - bend * side[:, 0] ** 2 - car
        at = _nearest(shift * sign, side[:, 0])
        edges.append(None if at is None else _fitted(side, (sign * at + car, slope, bend), scale))
    return edges[0], edges[1]


def _shape(left: Points, right: Points) -> tuple[float, float]:
    """Slope and bend of the parabola along which most places lie, shifted to the left or to the right."""
    slopes, bends = (grid.ravel() for grid in np.meshgrid(_SLOPES, _BENDS, indexing="ij"))
    votes = np.zeros(len(slopes))
    bins = round(2 / _BIN)
    for side in (left, right):
        some = side[:: max(1, len(side) // _MOST)]
        ahead, aside = some[:, :1], some[:, 1:]
        shift = aside - ahead * slopes - ahead**2 * bends  # (N, hypotheses)
        index = np.clip(((shift + 1) / _BIN).astype(np.int64), 0, bins - 1) + np.arange(len(slopes)) * bins
        weights = np.broadcast_to(_weights(ahead), index.shape).ravel()
        counts = np.bincount(index.ravel(), weights, bins * len(slopes)).reshape(len(slopes), bins)
        pairs = counts[:, :-1] + counts[:, 1:]  # so that it does not matter where bins begin
        votes += (pairs**2).sum(axis=1)
    votes *= np.exp(-((slopes / 1.5) ** 2) - (bends / 1.0) ** 2)  # of two that fit alike, the calmer one
    best = int(votes.argmax())
    return float(slopes[best]), float(bends[best])


def _weights(ahead: Points) -> Points:
    """Near places say more about where the car is to go, and are seen more sharply."""
    return np.asarray(1 / (1 + (ahead / 0.3) ** 2), np.float64)


def _nearest(shift: Points, ahead: Points) -> float | None:
    """How far aside the nearest edge is that is long enough; ``shift`` grows outwards."""
    is_outside = (shift > 0) & (shift < 1)
    outside, weights = shift[is_outside], _weights(ahead[is_outside])
    bins = (outside / _BIN).astype(np.int64)
    rows, weighed = (np.bincount(bins, w, round(1 / _BIN) + 1) for w in (None, weights))
    rows, weighed = rows[:-1] + rows[1:], weighed[:-1] + weighed[1:]
    is_long = (rows >= _LEAST_ROWS) & (weighed >= _SHARE * weighed.max(initial=0.0))
    if not is_long.any():
        return None
    first = int(is_long.argmax())
    peak = first + int(weighed[first : first + 3].argmax())  # it may be in the next bins
    return float(np.median(outside[(outside >= peak * _BIN) & (outside < (peak + 2) * _BIN)]))


def _fitted(places: Points, start: tuple[float, float, float], scale: float) -> Edge | None:
    """A cubic along places, which begins as a parabola and is led on from its near part to the far one."""
    ahead, aside = places.T
    powers = ahead[:, None] ** np.arange(4)
    curve = np.array([*start, 0.0])
    stiff = np.diag(_STIFF)
    first = float(ahead[np.abs(aside - powers @ curve) < 2 * _NEAR].min(initial=1.0))
    for limit in np.arange(first + _FIRST, 1.0 + _FURTHER, _FURTHER):
        for width in (2 * _NEAR, _NEAR):
            off = aside - powers @ curve
            chosen = (np.abs(off) < width) & (ahead < limit)
            if chosen.sum() < _LEAST_ROWS:
                continue
            weights = _weights(ahead[chosen]) / (1 + (off[chosen] / (0.3 * width)) ** 2)
            weighted = powers[chosen] * weights[:, None]
            gain = weighted.T @ powers[chosen] + stiff
            curve = np.linalg.solve(gain, weighted.T @ aside[chosen] + stiff @ curve)
    off = aside - powers @ curve
    kept = np.abs(off) < 0.5 * _NEAR
    rows = len(np.unique(ahead[kept]))
    if rows < _LEAST_ROWS:
        return None
    rms = float(np.sqrt(np.mean(off[kept] ** 2)))
    in_m = curve * scale / scale ** np.arange(4)
    return Edge(in_m, float(ahead[kept].min()) * scale, float(ahead[kept].max()) * scale, rows, rms * scale)
