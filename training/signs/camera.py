"""What a car's camera makes of what is before it: blur, few pixels, noise, sharpening, JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame

Plane = NDArray[np.float32]


def take(picture: Plane, per_px: float, rng: np.random.Generator) -> Frame:
    """Take a picture.

    Args:
        picture: (H, W, 3) float32 BGR in 0…1, as the lens shows it.
        per_px: how many of its pixels are one of the camera's.
        rng: decides how the car moves and what goes wrong.

    Returns:
        (H, W, 3) uint8 BGR in pixels of the camera, 8 at least on each side.
    """
    side = max(picture.shape[:2])
    if rng.random() < 0.35:
        picture = _moved(picture, rng.uniform(0.03, 0.2) * side, rng.uniform(0, math.pi))
    if rng.random() < 0.4:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.005, 0.04) * side), np.float32)
    height, width = (max(8, round(length / per_px)) for length in picture.shape[:2])
    seen = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    if rng.random() < 0.25:
        seen = seen + np.float32(rng.uniform(0.3, 1.5)) * (seen - cv2.GaussianBlur(seen, (0, 0), 1.0))
    sigma = rng.uniform(0, 0.02) if rng.random() < 0.6 else rng.uniform(0.02, 0.08)
    noisy = seen + rng.normal(0, sigma, seen.shape)
    frame = np.asarray(np.clip(np.rint(255 * noisy), 0, 255), np.uint8)
    if rng.random() < 0.5:
        frame = _compressed(frame, int(rng.integers(30, 96)), rng)
    return frame


def _moved(picture: Plane, length: float, angle: float) -> Plane:
    """A straight smear of a length in px."""
    reach = max(1, math.ceil(length / 2))
    line = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    dx, dy = 0.5 * length * math.cos(angle), 0.5 * length * math.sin(angle)
    ends = [(round(16 * (reach + s * dx)), round(16 * (reach + s * dy))) for s in (-1, 1)]
    cv2.line(line, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    kernel = line.astype(np.float32) / max(1, int(line.sum(dtype=np.int64)))
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT))


def _compressed(frame: Frame, quality: int, rng: np.random.Generator) -> Frame:
    """Through JPEG, its blocks anywhere: the crop is a part of a larger frame."""
    y, x = rng.integers(0, 16, 2).tolist()
    larger = cv2.copyMakeBorder(frame, y, 16, x, 16, cv2.BORDER_REPLICATE)
    data = cv2.imencode(".jpg", larger, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return decoded[y : y + frame.shape[0], x : x + frame.shape[1]]
