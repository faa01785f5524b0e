"""What training does to crops of streets so that other cameras and other light hold no surprises."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame

CHANGED = 0.8  # share of the crops
COARSE = 0.15  # likewise
COARSEST = 4.0  # times as few pixels along each side


def spoil(crop: Frame, rng: np.random.Generator) -> Frame:
    """Change light and colours of most crops, and blur, grain and compress a few.

    Args:
        crop: (S, S, 3) uint8 BGR.
        rng: draws how.
    """
    if rng.random() < COARSE:
        crop = coarse(crop, rng)
    if rng.random() >= CHANGED:
        return crop
    changed: NDArray[Any] = relight(crop, rng)
    if rng.random() < 0.04:
        changed = cv2.cvtColor(cv2.cvtColor(changed, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    chance = rng.random()
    if chance < 0.12:
        changed = cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.4, 1.1))
    elif chance < 0.17:
        changed = cv2.filter2D(changed, -1, motion(rng))
    if rng.random() < 0.12:
        grain = rng.standard_normal(changed.shape, np.float32) * rng.uniform(2, 9)
        changed = np.clip(changed + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 90))]
        data = cv2.imencode(".jpg", changed, quality)[1]
        changed = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(changed, np.uint8)


def coarse(crop: Frame, rng: np.random.Generator) -> Frame:
    """A crop of a small camera's frame, which is enlarged before signs are looked for."""
    size = (crop.shape[1], crop.shape[0])
    factor = math.exp(rng.uniform(math.log(1.3), math.log(COARSEST)))
    few = (max(1, round(size[0] / factor)), max(1, round(size[1] / factor)))
    small = cv2.resize(crop, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def relight(crop: Frame, rng: np.random.Generator) -> Frame:
    """Another gamma, gain, black level and tint, all in one table per channel."""
    gamma, gain = math.exp(rng.uniform(-0.35, 0.35)), math.exp(rng.uniform(-0.4, 0.4))
    tint = np.exp(rng.normal(0, 0.08 if rng.random() < 0.5 else 0.02, 3))
    if rng.random() < 0.12:  # the pink of a camera without lens shading correction
        tint *= np.array([1.15, 0.8, 1.2]) ** rng.uniform(0.3, 1.3)
    black = rng.uniform(-12, 25) if rng.random() < 0.3 else 0.0
    levels = (np.arange(256) / 255.0) ** gamma * 255.0 * gain + black
    return np.asarray(cv2.LUT(crop, np.clip(levels[:, None] * tint, 0, 255).astype(np.uint8)[None]), np.uint8)


def motion(rng: np.random.Generator) -> NDArray[np.float32]:
    """A kernel that blurs along a line of 3 to 7 px in any direction."""
    size = int(rng.integers(3, 8))
    line = np.zeros((size, size), np.float32)
    line[size // 2] = 1.0
    middle = size / 2 - 0.5
    turned = cv2.warpAffine(
        line, cv2.getRotationMatrix2D((middle, middle), rng.uniform(0, 180), 1), (size, size)
    )
    return np.asarray(turned / turned.sum(), np.float32)
