"""What is behind a track: walls with shelves, windows, doors, posters and furniture, or a garden."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks.camera import Plane

Strip = NDArray[np.uint8]
TEXELS_PER_M = 88
HEIGHT_M, ROUND_M = 3.0, 12.0  # of the strip that the walls are papered with; it repeats
VARIANTS = 40
_H, _W = round(HEIGHT_M * TEXELS_PER_M), round(ROUND_M * TEXELS_PER_M)


@dataclass(frozen=True)
class Room:
    """Four walls around the camera.

    Attributes:
        strip: (H, W, 3) uint8 BGR, what is on the walls, all around; its last row is at the floor.
        angle: the walls are turned by it, rad.
        walls_m: how far the walls are: right, left, ahead, behind.
    """

    strip: Strip
    angle: float
    walls_m: tuple[float, float, float, float]

    def meet(self, x: Plane, y: Plane) -> tuple[Plane, Plane]:
        """Where rays meet a wall: how often their own length away, and how far along the strip, m."""
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        a, b = cos * x + sin * y, cos * y - sin * x
        right, left, ahead, behind = (np.float32(wall) for wall in self.walls_m)
        beside = np.where(a > 0, right, left) / np.maximum(np.abs(a), 1e-4)
        along = np.where(b > 0, ahead, behind) / np.maximum(np.abs(b), 1e-4)
        is_beside = beside < along
        times = np.where(is_beside, beside, along)
        place = np.where(is_beside, b, a + 3.0) * times + np.where(is_beside, np.sign(a), np.sign(b)) * 4.0
        return np.asarray(times, np.float32), np.asarray(place, np.float32)

    def paper(self, place: Plane, z: Plane) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR: what is there on the wall, at these heights (m)."""
        turns = place * np.float32(1 / ROUND_M)
        u = (turns - np.floor(turns)) * np.float32(_W - 1)
        v = np.clip((HEIGHT_M - z) * TEXELS_PER_M - 1, 0, _H - 1).astype(np.float32)
        return np.asarray(cv2.remap(self.strip, u, v, cv2.INTER_LINEAR), np.uint8)


def drawn(rng: np.random.Generator) -> Room:
    """Any room: 1.2 to 9 m to the wall ahead."""
    far = np.exp(rng.uniform(np.log(1.2), np.log(9.0)))
    beside = np.exp(rng.uniform(np.log(0.9), np.log(7.0), 2))
    walls = (float(beside[0]), float(beside[1]), float(far), 5.0)
    return Room(_strip(int(rng.integers(VARIANTS))), float(rng.normal(0, 0.35)), walls)


@lru_cache(maxsize=VARIANTS)
def _strip(variant: int) -> Strip:
    rng = np.random.default_rng([7, variant])
    image = np.empty((_H, _W, 3), np.float32)
    if variant % 5 == 0:
        _garden(image, rng)
    else:
        _walls(image, rng)
    coarse = rng.normal(0, 6, (24, 96)).astype(np.float32)
    image += cv2.resize(coarse, (_W, _H), interpolation=cv2.INTER_CUBIC)[..., None]
    image += rng.normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def _color(rng: np.random.Generator, low: int = 10, high: int = 240) -> tuple[float, float, float]:
    base = rng.uniform(low, high)
    spread = 9 if rng.random() < 0.6 else 40
    values = np.clip(base + rng.normal(0, spread, 3), 0, 255)
    return float(values[0]), float(values[1]), float(values[2])


def _fill(
    image: NDArray[np.float32], box: tuple[float, float, float, float], color: tuple[float, ...]
) -> None:
    """A rectangle: left, bottom, right, top in m."""
    left, bottom, right, top = (round(value * TEXELS_PER_M) for value in box)
    cv2.rectangle(image, (left, _H - 1 - top), (right, _H - 1 - bottom), color, -1)


def _walls(image: NDArray[np.float32], rng: np.random.Generator) -> None:
    image[:] = _color(rng, 120, 245) if rng.random() < 0.75 else _color(rng, 20, 130)
    image *= np.linspace(1.1, rng.uniform(0.6, 1.0), _H, dtype=np.float32)[:, None, None]
    image[: round(0.25 * TEXELS_PER_M)] = _color(rng, 150, 250)
    for _ in range(int(rng.integers(2, 7))):
        x = rng.uniform(0, ROUND_M)
        _fill(image, (x, 2.5, x + rng.uniform(0.2, 1.2), 2.5 + rng.uniform(0.05, 0.3)), (255, 255, 255))
    if rng.random() < 0.6:
        _fill(image, (0, 0, ROUND_M, rng.uniform(0.04, 0.15)), _color(rng))
    makers = (_shelf, _shelf, _window, _door, _posters, _cabinet, _curtain, _pile, _pile, _pipes)
    x = rng.uniform(0, 0.5)
    while x < ROUND_M - 0.5:
        wide = min(rng.uniform(0.5, 2.2), ROUND_M - x)
        if rng.random() < 0.85:
            makers[int(rng.integers(len(makers)))](image, x, wide, rng)
        x += wide + rng.exponential(0.3)


def _shelf(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    """Boards full of books or boxes."""
    top, step = rng.uniform(0.9, 2.4), rng.uniform(0.25, 0.5)
    frame = _color(rng)
    _fill(image, (x, 0, x + wide, top), tuple(0.4 * c for c in frame))
    thing = rng.uniform(0.03, 0.35)
    for bottom in np.arange(0.05, top - 0.2, step):
        left = x + 0.03
        while left < x + wide - 0.05:
            width = min(thing * rng.uniform(0.5, 1.5), x + wide - 0.03 - left)
            if rng.random() < 0.88:
                _fill(
                    image,
                    (left, bottom, left + width, bottom + step * rng.uniform(0.4, 0.92)),
                    _color(rng),
                )
            left += width
        _fill(image, (x, bottom - 0.03, x + wide, bottom), frame)
    _fill(image, (x, 0, x + 0.03, top), frame)


def _window(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    low = rng.uniform(0.0, 1.1)
    high = rng.uniform(1.8, 2.5)
    frame = _color(rng, 60, 250)
    _fill(image, (x, low, x + wide, high), frame)
    panes = int(rng.integers(1, 4))
    for index in range(panes):
        left = x + wide * index / panes + 0.05
        light = _color(rng, 190, 255) if rng.random() < 0.7 else _color(rng, 20, 160)
        _fill(image, (left, low + 0.06, left + wide / panes - 0.07, high - 0.06), light)


def _door(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    color = _color(rng, 40, 230)
    wide = min(wide, 1.0)
    _fill(image, (x, 0, x + wide, 2.1), tuple(0.6 * c for c in color))
    _fill(image, (x + 0.06, 0, x + wide - 0.06, 2.04), color)
    _fill(image, (x + wide - 0.15, 1.0, x + wide - 0.09, 1.06), (30, 30, 30))


def _posters(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        left, low = x + rng.uniform(0, wide), rng.uniform(0.3, 1.8)
        right, top = left + rng.uniform(0.2, 0.9), low + rng.uniform(0.2, 0.8)
        _fill(image, (left, low, right, top), _color(rng))
        for _ in range(int(rng.integers(0, 6))):
            a, b = rng.uniform(left, right), rng.uniform(low, top)
            _fill(image, (a, b, min(right, a + 0.2), min(top, b + 0.08)), _color(rng))


def _cabinet(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    """A cupboard, a table or a sofa: doors or legs below, and something on it."""
    color, top = _color(rng), rng.uniform(0.4, 1.2)
    if rng.random() < 0.5:
        _fill(image, (x, 0.05, x + wide, top), color)
        _fill(image, (x, 0, x + wide, 0.05), (15, 15, 15))
        for at in np.arange(x, x + wide, rng.uniform(0.3, 0.7)):
            _fill(image, (at, 0.08, at + 0.015, top - 0.03), tuple(0.5 * c for c in color))
    else:
        _fill(image, (x, 0, x + wide, top - 0.05), _color(rng, 5, 90))
        _fill(image, (x, top - 0.05, x + wide, top), color)
        for at in (x, x + wide - 0.05):
            _fill(image, (at, 0, at + 0.05, top), color)
    for _ in range(int(rng.integers(0, 5))):
        left = x + rng.uniform(0, wide)
        _fill(image, (left, top, left + rng.uniform(0.05, 0.4), top + rng.uniform(0.05, 0.5)), _color(rng))


def _curtain(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    color = np.array(_color(rng))
    for at in np.arange(x, x + wide, 0.06):
        fold = tuple(float(c) for c in color * rng.uniform(0.75, 1.1))
        _fill(image, (at, rng.uniform(0.0, 0.05), at + 0.06, 2.4), fold)


def _pile(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    """Boxes, bags and dark things on top of each other."""
    for _ in range(int(rng.integers(4, 22))):
        left, bottom = x + rng.uniform(-0.2, wide), rng.uniform(0, 0.9) ** 1.5
        width, height = rng.uniform(0.08, 0.6, 2)
        color = _color(rng, 5, 120) if rng.random() < 0.6 else _color(rng)
        if rng.random() < 0.3:
            middle = (round((left + width / 2) * TEXELS_PER_M), round(_H - bottom * TEXELS_PER_M))
            axes = (round(width * 44), round(height * 44))
            cv2.ellipse(image, middle, axes, rng.uniform(-40, 40), 0, 360, color, -1)
        else:
            _fill(image, (left, bottom, left + width, bottom + height), color)


def _pipes(image: NDArray[np.float32], x: float, wide: float, rng: np.random.Generator) -> None:
    """A radiator, a fence or a rack: many bars."""
    top, gap, color = rng.uniform(0.5, 2.3), rng.uniform(0.05, 0.2), _color(rng)
    _fill(image, (x, 0.1, x + wide, top), tuple(0.3 * c for c in color))
    for at in np.arange(x, x + wide, gap):
        _fill(image, (at, 0.05, at + gap * 0.5, top), color)


def _garden(image: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Sky, leaves and a house or a fence."""
    image[:] = _color(rng, 200, 255)
    leaves = np.array([rng.uniform(20, 60), rng.uniform(60, 120), rng.uniform(30, 80)], np.float32)
    coarse = np.abs(rng.normal(0, 1, (60, 240))).astype(np.float32)
    shade = cv2.resize(coarse, (_W, _H), interpolation=cv2.INTER_LINEAR)[..., None]
    tops = cv2.resize(rng.uniform(0.4, 2.8, (1, 40)).astype(np.float32), (_W, 1))[0]
    is_leaf = np.arange(_H)[:, None] > _H - tops * TEXELS_PER_M
    image[:] = np.where(is_leaf[..., None], leaves * (0.35 + shade), image)
    for _ in range(int(rng.integers(0, 4))):
        x = rng.uniform(0, ROUND_M - 1)
        maker = (_pipes, _window, _cabinet, _door)[int(rng.integers(4))]
        maker(image, x, rng.uniform(0.5, 2.5), rng)
    _fill(image, (0, 0, ROUND_M, rng.uniform(0.02, 0.25)), tuple(float(c) for c in leaves * 1.2))
