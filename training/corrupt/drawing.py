"""What the corruptions are made of: lengths, blurs, smooth noise, and a canvas for thin things."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame

_CANVAS = 192  # px of a unit; thin things are drawn at least this large and averaged down to the frame

Plane = NDArray[np.floating]


def side(frame: Frame) -> int:
    """The shorter one, px."""
    return int(min(frame.shape[:2]))


def as_bytes(values: NDArray[np.generic]) -> Frame:
    """Rounded and cut off."""
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def blurred(frame: Frame, kernel: NDArray[np.number]) -> Frame:
    """Filtered by a kernel, whatever its sum is."""
    return as_bytes(cv2.filter2D(frame, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def smooth_noise(frame: Frame, rng: np.random.Generator, *, cells: int) -> Plane:
    """(H, W) about -1.5…1.5, slowly changing; ``cells`` hills across."""
    height, width = frame.shape[:2]
    coarse = rng.normal(0, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def canvas(frame: Frame, unit: float) -> tuple[NDArray[np.uint8], float]:
    """An empty plane with the frame's proportions, a whole multiple of its size, and the unit on it, px."""
    times = max(1, math.ceil(_CANVAS / unit))
    height, width = frame.shape[:2]
    return np.zeros((height * times, width * times), np.uint8), times * unit


def shrunk(drawn: NDArray[np.uint8], frame: Frame) -> Plane:
    """(H, W, 1) shares 0…1 at the frame's size."""
    height, width = frame.shape[:2]
    return np.asarray(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0)


def number(count: int, frame: Frame, unit: float) -> int:
    """As many in each square of the unit, whatever the frame's size is."""
    height, width = frame.shape[:2]
    return round(float(count * height * width) / unit**2)
