"""Corruptions that move a part of the frame or hide it, so that its truth changes with it."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.corrupt.drawing import as_bytes, canvas, shrunk, side, smooth_noise
from training.corrupt.moved import NOWHERE, Moved


def occlusion(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> tuple[Frame, Moved]:
    """A leaf, a sticker, a branch, dirt on the lens: a patch of one dull colour off the frame's middle."""
    area = (0.05, 0.09, 0.14, 0.20, 0.27)[severity - 1]
    patch, across = canvas(frame, side(frame))
    height, width = patch.shape
    aspect, direction = rng.uniform(0.5, 2.0), rng.uniform(0, 2 * math.pi)
    size = (across * math.sqrt(area * aspect), across * math.sqrt(area / aspect))
    away = rng.uniform(0.15, 0.35) * across  # off the middle, but on the sign
    centre = (width / 2 + away * math.cos(direction), height / 2 + away * math.sin(direction))
    corners = cv2.boxPoints((centre, size, rng.uniform(0, 180)))
    cv2.fillConvexPoly(patch, corners.round().astype(np.int32), 255, cv2.LINE_AA)
    share = shrunk(patch, frame)
    color = rng.uniform(30, 150) + rng.uniform(-25, 25, 3)
    texture = 12.0 * smooth_noise(frame, rng, cells=6)[..., None]
    covered = as_bytes(frame * (1 - share) + (color + texture) * share)
    return covered, replace(_unmoved(frame), hidden=share[..., 0] > 0.5)


def rolling_shutter(
    frame: Frame, severity: int, rng: np.random.Generator, unit: float
) -> tuple[Frame, Moved]:
    """Rows are read one after the other while the car turns and shakes: a slant and a wobble.

    At 5, a frame of 480 rows moves by 86 px while it is read: at 62° of view over 640 px and 33 ms from the
    first row to the last, the car turns by a quarter of a circle in 0.36 s.
    """
    slant = (0.03, 0.06, 0.09, 0.13, 0.18)[severity - 1]  # px a row
    reach = (0.006, 0.012, 0.018, 0.024, 0.03)[severity - 1] * unit
    direction, phase = rng.choice((-1.0, 1.0)), rng.uniform(0, 2 * math.pi)
    wave = rng.uniform(1.0, 3.0) * unit  # rows
    height, width = frame.shape[:2]
    rows = np.arange(height)
    shift = direction * slant * (rows - (height - 1) / 2) + reach * np.sin(2 * math.pi * rows / wave + phase)
    columns = np.arange(width, dtype=np.float32) - shift[:, None].astype(np.float32)
    lines = np.repeat(rows[:, None].astype(np.float32), width, axis=1)
    seen = cv2.remap(frame, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, np.uint8), replace(_unmoved(frame), shift=shift)


def dropped_rows(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> tuple[Frame, Moved]:
    """Packets of a camera's stream are lost: rows repeat the last one that came, are black, or close up."""
    share = (0.06, 0.11, 0.17, 0.24, 0.32)[severity - 1]
    way = rng.integers(3)
    is_lost = _lost(frame.shape[0], share, rng, unit)
    kept = np.flatnonzero(~is_lost)
    if way == 2:
        rows = np.concatenate([kept, np.full(int(is_lost.sum()), NOWHERE)])
        shown = rows
    else:
        rows = np.where(is_lost, NOWHERE, np.arange(len(is_lost)))
        shown = np.maximum.accumulate(rows) if way == 0 else rows
    seen = np.where((shown == NOWHERE)[:, None, None], np.uint8(0), frame[np.maximum(shown, 0)])
    return np.ascontiguousarray(seen), replace(_unmoved(frame), rows=rows)


def _lost(height: int, share: float, rng: np.random.Generator, unit: float) -> NDArray[np.bool_]:
    """(H,) rows that never came, in bands of 0.08 to 0.3 units."""
    is_lost = np.zeros(height, np.bool_)
    wanted = max(1, round(share * height))
    while (missing := wanted - int(is_lost.sum())) > 0:
        start = int(rng.integers(height))
        is_lost[start : start + min(missing, max(1, round(rng.uniform(0.08, 0.3) * unit)))] = True
    return is_lost


def _unmoved(frame: Frame) -> Moved:
    return Moved.nothing((frame.shape[0], frame.shape[1]))
