"""What is taped or painted on the floor of a track: lanes, dashes, stop lines, crosswalks, strips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
STEP_M = 0.04  # between two points of a line
# BGR of tape and paint; white and yellow are the usual ones.
USUAL = ((245, 245, 245), (225, 230, 230), (60, 215, 240), (40, 170, 235))
OTHERS = (
    *((30, 30, 30), (55, 75, 110), (200, 110, 40), (50, 50, 200), (70, 160, 60), (40, 110, 230)),
    *((170, 170, 175), (180, 80, 190), (90, 220, 190), (20, 20, 60), (140, 185, 205)),
)


@dataclass(frozen=True)
class Stroke:
    """One line on the floor.

    Attributes:
        left: (N, 2) m, one of its edges.
        right: (N, 2) m, the other one.
        kept: (N - 1,) where between two points there is tape.
        color: BGR.
        opacity: 1 covers the floor, 0.3 is worn paint.
    """

    left: Points
    right: Points
    kept: NDArray[np.bool_]
    color: tuple[float, float, float]
    opacity: float = 1.0

    @classmethod
    def along(
        cls, path: Points, width_m: float, color: tuple[float, float, float], opacity: float = 1.0
    ) -> Stroke:
        """A line of this width along (N, 2) points."""
        aside = normals(path) * width_m / 2
        return cls(path - aside, path + aside, np.ones(len(path) - 1, bool), color, opacity)


def normals(path: Points) -> Points:
    """(N, 2) unit vectors to the right of a path."""
    ahead = np.gradient(path, axis=0)
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
    return np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)


def path(rng: np.random.Generator) -> Points:
    """(N, 2) m: the middle of a lane that the car is on, from behind it to some metres ahead."""
    length = rng.uniform(2.0, 7.0)
    count = round(length / STEP_M)
    knots = rng.normal(0, 0.55, 5) * (rng.random() < 0.8)
    bends = np.interp(np.arange(count) * STEP_M, np.linspace(0, 6, 5), knots)
    if rng.random() < 0.3:  # a sharp corner, as tape is laid by people
        bends[int(rng.integers(count // 4, count)) :][: int(rng.integers(1, 8))] += rng.normal(0, 6)
    heading = rng.normal(0, 0.3) + np.cumsum(bends) * STEP_M
    steps = np.stack([np.sin(heading), np.cos(heading)], axis=1) * STEP_M
    start = np.array([rng.normal(0, 0.14), -0.25])
    return np.asarray(start + np.cumsum(steps, axis=0), np.float64)


def straight(start: Points, end: Points) -> Points:
    """(N, 2) points from one to the other."""
    count = max(2, round(float(np.hypot(*(end - start))) / STEP_M) + 1)
    return np.asarray(start + np.linspace(0, 1, count)[:, None] * (end - start), np.float64)


def color(rng: np.random.Generator, floor: NDArray[np.float32]) -> tuple[float, float, float]:
    """BGR of a tape that can be told from the floor."""
    shade = np.zeros(3)
    for _ in range(8):
        options = USUAL if rng.random() < 0.62 else OTHERS
        shade = np.array(options[int(rng.integers(len(options)))]) * np.exp(rng.normal(0, 0.08, 3))
        if np.abs(shade - floor).mean() > 28:
            break
    else:
        shade = np.where(floor > 128, floor - 70, floor + 70)
    shade = np.clip(shade, 5, 252)
    return float(shade[0]), float(shade[1]), float(shade[2])


def drawn(rng: np.random.Generator, floor: NDArray[np.float32]) -> tuple[Points, list[Stroke]]:
    """The middle of the car's lane, and all that is on the floor.

    Args:
        rng: decides.
        floor: (3,) BGR, its colour.
    """
    middle = path(rng)
    if rng.random() < 0.06:
        return middle, []
    strokes = list(_lanes(middle, rng, floor))
    if rng.random() < 0.25:
        turned = path(rng) @ _turn(rng.uniform(-1.6, 1.6)) + middle[len(middle) // 3]
        strokes += _lanes(turned, rng, floor)
    if rng.random() < 0.22:
        strokes.append(_stop_line(middle, rng, floor))
    if rng.random() < 0.14:
        strokes += _crosswalk(middle, rng, floor)
    for _ in range(int(rng.poisson(0.35))):
        start = np.array([rng.uniform(-1.5, 1.5), rng.uniform(0.1, 3.0)])
        end = start + rng.normal(0, 1.0, 2)
        strokes.append(_tape(straight(start, end), rng.uniform(0.012, 0.06), rng, floor))
    return middle, strokes


def _turn(angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _opacity(
    rng: np.random.Generator, shade: tuple[float, float, float], floor: NDArray[np.float32]
) -> float:
    """Most tape is new; paint may be worn, but so that people would still see it."""
    apart = float(np.abs(np.array(shade) - floor).mean())
    least = min(1.0, 20 / max(apart, 1.0))
    return 1.0 if rng.random() < 0.55 else float(rng.uniform(least, 1.0))


def _tape(places: Points, width_m: float, rng: np.random.Generator, floor: NDArray[np.float32]) -> Stroke:
    """One piece in a colour of its own."""
    shade = color(rng, floor)
    return Stroke.along(places, width_m, shade, _opacity(rng, shade, floor))


def _lanes(middle: Points, rng: np.random.Generator, floor: NDArray[np.float32]) -> Iterator[Stroke]:
    """The lines of one or two lanes."""
    lane_m = float(np.exp(rng.uniform(np.log(0.22), np.log(0.9))))
    width_m = float(np.exp(rng.uniform(np.log(0.012), np.log(0.055))))
    usual = color(rng, floor)
    opacity = _opacity(rng, usual, floor)
    aside = normals(middle)
    layout = rng.random()
    offsets = [-0.5, 0.5] if layout < 0.5 else [-0.5, 0.5, 1.5] if layout < 0.75 else [0.0]
    if layout > 0.85:
        offsets = [-0.5, 0.0, 0.5]
    for index, place in enumerate(offsets):
        places = middle + aside * place * lane_m
        if rng.random() < 0.2:
            stroke = _tape(places, width_m * rng.uniform(0.7, 1.4), rng, floor)
        else:
            stroke = Stroke.along(places, width_m, usual, opacity)
        is_inner = index == 1 and len(offsets) == 3
        yield from _styled(stroke, rng, dashed=0.7 if is_inner else 0.2, width_m=width_m)


def _styled(stroke: Stroke, rng: np.random.Generator, *, dashed: float, width_m: float) -> Iterator[Stroke]:
    """As a solid, dashed, double or partly missing line."""
    count = len(stroke.kept)
    metres = np.arange(count) * STEP_M + rng.uniform(0, 1)
    style = rng.random()
    if style < dashed:
        on = float(np.exp(rng.uniform(np.log(0.04), np.log(0.4))))
        period = on + float(np.exp(rng.uniform(np.log(0.06), np.log(0.5))))
        fine = _finer(stroke, 4)
        metres = np.arange(len(fine.kept)) * STEP_M / 4 + metres[0]
        yield replace(fine, kept=np.mod(metres, period) < on)
    elif style < dashed + 0.12:
        shift = (stroke.right - stroke.left) * rng.uniform(0.7, 1.2)
        yield replace(stroke, left=stroke.left - shift, right=stroke.right - shift)
        yield replace(stroke, left=stroke.left + shift, right=stroke.right + shift)
    elif style > 0.85:
        start = int(rng.integers(count))
        kept = stroke.kept.copy()
        kept[start : start + int(rng.uniform(0.2, 1.2) / STEP_M)] = False
        yield replace(stroke, kept=kept)
    elif style > 0.78:  # pieces of tape that do not quite meet
        jump = np.repeat(rng.normal(0, 0.25 * width_m, (count // 12 + 2, 2)), 12, axis=0)[: count + 1]
        kept = stroke.kept.copy()
        kept[11::12] = False
        yield replace(stroke, left=stroke.left + jump, right=stroke.right + jump, kept=kept)
    else:
        yield stroke


def _finer(stroke: Stroke, times: int) -> Stroke:
    old = np.arange(len(stroke.left))
    new = np.linspace(0, len(stroke.left) - 1, (len(stroke.left) - 1) * times + 1)
    left, right = (
        np.stack([np.interp(new, old, edge[:, axis]) for axis in (0, 1)], axis=1)
        for edge in (stroke.left, stroke.right)
    )
    return replace(stroke, left=left, right=right, kept=np.repeat(stroke.kept, times))


def _across(middle: Points, rng: np.random.Generator) -> tuple[Points, Points, Points]:
    """A place on the path ahead of the car, its direction, and that to its right."""
    ahead = np.flatnonzero(middle[:, 1] > 0.12)
    index = int(ahead[min(len(ahead) - 1, int(rng.exponential(0.6) / STEP_M))]) if len(ahead) else -1
    right = normals(middle)[index]
    return middle[index], np.array([-right[1], right[0]]), right


def _stop_line(middle: Points, rng: np.random.Generator, floor: NDArray[np.float32]) -> Stroke:
    at, _, right = _across(middle, rng)
    half = rng.uniform(0.1, 0.45)
    line = straight(at - right * half * rng.uniform(0.0, 1.0), at + right * half)
    return _tape(line, rng.uniform(0.015, 0.08), rng, floor)


def _crosswalk(middle: Points, rng: np.random.Generator, floor: NDArray[np.float32]) -> Iterator[Stroke]:
    at, ahead, right = _across(middle, rng)
    shade, width_m = color(rng, floor), rng.uniform(0.025, 0.07)
    opacity = _opacity(rng, shade, floor)
    length_m, count, gap = rng.uniform(0.12, 0.4), int(rng.integers(3, 9)), rng.uniform(1.6, 2.4)
    for index in range(count):
        start = at + right * (index - (count - 1) / 2) * width_m * gap
        yield Stroke.along(straight(start, start + ahead * length_m), width_m, shade, opacity)
