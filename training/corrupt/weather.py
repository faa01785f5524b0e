"""Corruptions by weather: fog, rain, snow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.corrupt.drawing import as_bytes, canvas, number, shrunk, smooth_noise


def fog(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """Light grey between camera and sign, thicker here than there."""
    thickness = (0.25, 0.40, 0.53, 0.64, 0.74)[severity - 1]
    cloud = smooth_noise(frame, rng, cells=3)
    share = np.clip(thickness + 0.12 * cloud, 0, 0.9)[..., None]
    return as_bytes(frame * (1 - share) + rng.uniform(190, 225) * share)


def rain(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """Bright streaks that fall in one direction, under a duller sky."""
    count = (14, 26, 40, 56, 75)[severity - 1]
    opacity = (0.40, 0.46, 0.52, 0.58, 0.64)[severity - 1]
    slant = rng.uniform(-0.3, 0.3)
    streaks, side = canvas(frame, unit)
    height, width = streaks.shape
    for _ in range(number(count, frame, unit)):
        x, y = rng.uniform(-0.1, 1.1) * width, rng.uniform(-0.2, 1.0) * height
        length = rng.uniform(0.10, 0.28) * side
        thickness = max(1, round(rng.uniform(0.006, 0.016) * side))
        _line(streaks, (x, y), (x + slant * length, y + length), int(rng.integers(130, 256)), thickness)
    share = opacity * shrunk(streaks, frame)
    dull = frame * (1 - 0.06 * severity) + 0.06 * severity * float(frame.mean())
    return as_bytes(dull * (1 - share) + 225.0 * share)


def snow(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """White flakes, near ones large and soft, in a whitened scene."""
    count = (18, 32, 48, 66, 88)[severity - 1]
    flakes, side = canvas(frame, unit)
    height, width = flakes.shape
    for _ in range(number(count, frame, unit)):
        centre = (int(rng.uniform(0, 1) * width), int(rng.uniform(0, 1) * height))
        # Few are near: the radius' distribution leans towards the small ones.
        radius = max(1, round((0.008 + 0.026 * rng.uniform(0, 1) ** 3) * side))
        cv2.circle(flakes, centre, radius, int(rng.integers(150, 256)), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(flakes, (0, 0), 0.008 * side).astype(np.uint8, copy=False)
    share = 0.95 * shrunk(soft, frame)
    white = 0.05 * severity
    return as_bytes((frame * (1 - white) + 235.0 * white) * (1 - share) + 248.0 * share)


def _line(
    canvas: NDArray[np.uint8],
    start: tuple[float, float],
    end: tuple[float, float],
    value: int,
    thickness: int,
) -> None:
    ends = [(round(x), round(y)) for x, y in (start, end)]
    cv2.line(canvas, ends[0], ends[1], value, thickness, cv2.LINE_AA)
