"""Corruptions of boxes: what a detector, or a person with a mouse, gives instead of the true one."""

from __future__ import annotations

import math

import cv2
import numpy as np

from perception.frames import Frame


def cut(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The box misses one side of the sign: at 5 a quarter of it, and the margin around it."""
    lost = (0.08, 0.14, 0.20, 0.25, 0.30)[severity - 1]
    low, high = [(lost, 1.0), (0.0, 1.0 - lost)][int(rng.integers(2))]
    vertical = bool(rng.integers(2))
    ys, xs = ((low, high), (0.0, 1.0)) if vertical else ((0.0, 1.0), (low, high))
    return _box(frame, ys, xs)


def squeeze(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The box is too wide or too high, and the sign in it is squeezed once the box is made a square."""
    half = math.sqrt((1.08, 1.16, 1.25, 1.35, 1.50)[severity - 1]) / 2
    wide, narrow = (0.5 - half, 0.5 + half), (0.5 - 0.25 / half, 0.5 + 0.25 / half)
    return _box(frame, *((wide, narrow) if rng.integers(2) else (narrow, wide)))


def jitter(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The box is beside the sign, and too large or too small."""
    reach = (0.05, 0.08, 0.11, 0.15, 0.19)[severity - 1]
    angle, side = rng.uniform(0, 2 * math.pi), math.exp(reach * rng.uniform(-1, 1))
    y, x = (0.5 + reach * math.sin(angle), 0.5 + reach * math.cos(angle))
    return _box(frame, (y - side / 2, y + side / 2), (x - side / 2, x + side / 2))


def _box(frame: Frame, ys: tuple[float, float], xs: tuple[float, float]) -> Frame:
    """What a box shows, in shares of the frame's sides, at the frame's size; outside it is mirrored."""
    height, width = frame.shape[:2]
    (y1, y2), (x1, x2) = ys, xs
    scale_y, scale_x = y2 - y1, x2 - x1
    # Centres of pixels are at halves: pixel i of the result is taken from (i + 0.5) * scale + start - 0.5.
    matrix = np.array(
        [
            [scale_x, 0.0, x1 * width + (scale_x - 1) / 2],
            [0.0, scale_y, y1 * height + (scale_y - 1) / 2],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(frame, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.uint8)
