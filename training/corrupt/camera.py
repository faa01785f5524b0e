"""Corruptions by light, lens, sensor and encoder."""

from __future__ import annotations

import math

import cv2
import numpy as np

from perception.frames import Frame
from training.corrupt.drawing import as_bytes, blurred

GAMMA = 2.2  # of the camera; light adds up before it
# Logarithms of the factors on B, G and R: pink three times, then green, blue, and warm as old lamps.
CASTS = (
    *((0.2, -0.9, 0.5), (0.6, -0.9, 0.5), (0.0, -0.7, 0.7)),
    *((-0.6, 0.5, -0.5), (0.7, 0.0, -0.8), (-0.9, -0.1, 0.6)),
)


def motion_blur(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The car or the camera moves while the shutter is open: a straight smear in any direction."""
    length = (0.06, 0.09, 0.13, 0.17, 0.21)[severity - 1] * unit
    angle = rng.uniform(0, math.pi)
    reach = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for t in np.linspace(-length / 2, length / 2, 8 * reach):
        x, y = reach + t * math.cos(angle), reach + t * math.sin(angle)
        column, row = int(x), int(y)
        dx, dy = x - column, y - row  # shared among four pixels: a length of 1.4 px is not one of 1 or 2
        kernel[row : row + 2, column : column + 2] += np.outer((1 - dy, dy), (1 - dx, dx))
    return blurred(frame, kernel)


def defocus_blur(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The lens is focused elsewhere: every point becomes a disc."""
    radius = (0.02, 0.032, 0.044, 0.057, 0.07)[severity - 1] * unit
    reach = math.ceil(radius)
    fine = np.linspace(-reach - 0.5, reach + 0.5, 8 * (2 * reach + 1) + 1)
    centres = (fine[1:] + fine[:-1]) / 2
    disc = (np.hypot(*np.meshgrid(centres, centres)) <= max(radius, 0.1)).astype(np.float32)
    return blurred(frame, cv2.resize(disc, (2 * reach + 1,) * 2, interpolation=cv2.INTER_AREA))


def gaussian_noise(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """The sensor's noise at a high gain: every value by itself."""
    sigma = (0.04, 0.065, 0.095, 0.13, 0.17)[severity - 1] * 255
    return as_bytes(frame + rng.normal(0, sigma, frame.shape))


def dark(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """Dusk and night: little light, and the noise of it."""
    gain = (0.40, 0.26, 0.17, 0.11, 0.07)[severity - 1]
    light = (frame / 255.0) ** GAMMA * gain
    photons = 6000.0  # a full pixel's
    seen = rng.poisson(light * photons) / photons + rng.normal(0, 0.0006, frame.shape)
    return as_bytes(255.0 * np.clip(seen, 0, 1) ** (1 / GAMMA))


def over_exposure(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """A low sun or a slow exposure control: bright parts run into white."""
    gain = (1.5, 2.0, 2.7, 3.5, 4.5)[severity - 1]
    light = (frame / 255.0) ** GAMMA * gain
    return as_bytes(255.0 * np.clip(light, 0, 1) ** (1 / GAMMA))


def jpeg(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """Too few bits for the picture: blocks and ringing."""
    quality = (55, 40, 30, 22, 16)[severity - 1]
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def low_resolution(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """A thing far away: what counts is how many pixels are left across it, so here they are counted."""
    pixels = (26, 22, 18, 15, 12)[severity - 1]
    height, width = frame.shape[:2]
    scale = min(1.0, pixels / unit)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    few = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
    return as_bytes(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR))


def tint(frame: Frame, severity: int, rng: np.random.Generator, unit: float) -> Frame:
    """A colour cast, stronger towards one side: of a lens whose shading nobody corrects, or of lamps.

    Half of the casts are pink, as those of an IMX219 away from the middle of its picture.
    """
    strength = (0.12, 0.22, 0.33, 0.45, 0.60)[severity - 1]
    cast = np.array(CASTS[int(rng.integers(len(CASTS)))])
    angle, slope = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.5)
    y, x = (np.linspace(-0.5, 0.5, size) for size in frame.shape[:2])
    share = 1.0 - slope * (0.5 + (y[:, None] * math.sin(angle) + x * math.cos(angle)) / math.sqrt(2))
    return as_bytes(frame * np.exp(strength * share[..., None] * cast))
