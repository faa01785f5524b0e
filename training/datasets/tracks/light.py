"""What light, lens and sensor make of a scene."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks.camera import Plane

Picture = NDArray[np.float32]


def times(picture: Picture, factors: Plane) -> Picture:
    """Multiply all colours of each pixel by its factor; changes the picture and returns it."""
    cv2.multiply(picture, cv2.merge((factors, factors, factors)), picture)
    return picture


def unevenness(size_hw: tuple[int, int], rng: np.random.Generator, *, strength: float) -> Plane:
    """(H, W) factors about 1 that change slowly: lamps here, none there."""
    coarse = np.exp(rng.normal(0, strength, (4, 5))).astype(np.float32)
    height, width = size_hw
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def exposed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Exposure, white balance, saturation, haze, vignette and tint."""
    height, width = picture.shape[:2]
    brightness = rng.uniform(70, 150) if rng.random() < 0.75 else rng.uniform(18, 90)
    # The camera's own exposure; most take the whole picture, and some let bright parts run into white.
    gain = np.exp(rng.normal(0, 0.06, 3)) * brightness / max(float(picture.mean()), 4.0)
    gain *= np.exp(rng.normal(0, 0.12))
    gray = rng.uniform(-0.25, 0.95) if rng.random() < 0.6 else 0.0
    matrix = np.diag(gain) @ (np.eye(3) * (1 - gray) + gray / 3)
    haze = rng.uniform(0, 45) if rng.random() < 0.3 else 0.0  # a dirty lens, a window in the picture
    veil = np.full((3, 1), haze) * (1 + rng.normal(0, 0.05, (3, 1)))
    picture = np.asarray(cv2.transform(picture, np.hstack([matrix * (1 - haze / 150), veil])), np.float32)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    radius2 = ((x * x + y * y) / 2).astype(np.float32)
    if rng.random() < 0.5:
        times(picture, 1 - np.float32(rng.uniform(0, 0.6)) * radius2)
    if rng.random() < 0.25:  # an IMX219 without its lens shading table: pink away from the middle, or green
        pink = np.array([0.12, -0.3, 0.25]) * rng.uniform(0.2, 1.2) * rng.choice([1, 1, 1, -0.6])
        share = radius2 * np.float32(rng.uniform(0, 1.5)) + np.float32(rng.uniform(0, 0.5))
        picture *= cv2.merge([np.exp(share * np.float32(one)) for one in pink])
    return picture


def _streak(rng: np.random.Generator, length: float) -> Plane:
    """The kernel of a straight smear, mostly level, as a turning car makes it."""
    angle = rng.normal(0, 0.35) if rng.random() < 0.7 else rng.uniform(0, math.pi)
    reach = math.ceil(length / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    end = (reach + length / 2 * math.cos(angle), reach + length / 2 * math.sin(angle))
    start = (2 * reach - end[0], 2 * reach - end[1])
    ends = [(round(px * 16), round(py * 16)) for px, py in (start, end)]
    layer = np.zeros(kernel.shape, np.uint8)
    cv2.line(layer, ends[0], ends[1], 255, 1, cv2.LINE_AA, 4)
    kernel[:] = layer
    kernel[reach, reach] = 255
    return np.asarray(kernel / kernel.sum(), np.float32)


def seen(picture: Picture, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: what the sensor and its file make of it: blur, few pixels, noise, sharpening, JPEG."""
    height, width = picture.shape[:2]
    if rng.random() < 0.35:
        picture = np.asarray(cv2.filter2D(picture, -1, _streak(rng, rng.uniform(0.008, 0.05) * width)))
    if rng.random() < 0.5:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.1) * width / 160))
    if rng.random() < 0.2:
        scale = rng.uniform(0.45, 0.9)
        few = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < 0.35:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = picture + (picture - soft) * np.float32(rng.uniform(0.3, 1.5))
    if rng.random() < 0.7:
        sigma = np.float32(min(rng.exponential(3.5), 0.05 * picture.mean() + 4.0))
        grain = rng.standard_normal((height, width, 1 if rng.random() < 0.3 else 3), np.float32)
        picture = picture + grain * sigma
    frame = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 97))])
        frame = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return frame
