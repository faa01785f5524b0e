"""Lamps above a track: bright spots under the ceiling, and what a glossy floor mirrors of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from training.datasets.tracks.camera import SHIFT, Camera, fixed
from training.datasets.tracks.light import Picture


@dataclass(frozen=True)
class Lamp:
    """A round lamp, or a row of them.

    Attributes:
        place: x, y, z, m.
        radius_m: of the lamp.
        power: its brightness, where white paper has 255; a floor mirrors a few percent of it.
        smear: how many times as long as wide a rough floor shows it, towards the camera.
    """

    place: tuple[float, float, float]
    radius_m: float
    power: float
    smear: float


def drawn(rng: np.random.Generator) -> tuple[Lamp, ...]:
    """Up to five lamps ahead of the car; two scenes in five have none."""
    count = int(rng.integers(1, 6)) if rng.random() < 0.6 else 0
    lamps = []
    for _ in range(count):
        ahead_m = float(np.exp(rng.uniform(np.log(0.8), np.log(8.0))))
        place = (rng.normal(0, 1.6), ahead_m, rng.uniform(1.2, 3.0))
        power = float(np.exp(rng.uniform(np.log(600), np.log(8000))))
        lamps.append(Lamp(place, rng.uniform(0.03, 0.2), power, float(np.exp(rng.exponential(0.6)))))
    return tuple(lamps)


def paint(picture: Picture, lamps: Sequence[Lamp], camera: Camera, *, mirror: bool) -> None:
    """Add lamps to a picture.

    Args:
        picture: (H, W, 3) float32 BGR of the camera's size, changed in place.
        lamps: all of them.
        camera: sees them.
        mirror: as the floor mirrors them.
    """
    if not lamps:
        return
    places = np.array([lamp.place for lamp in lamps])
    if mirror:
        places[:, 2] *= -1
    seen, in_front = camera.project(places)
    distances = np.linalg.norm(places - (0, 0, camera.height_m), axis=1)
    layer = np.zeros(picture.shape[:2], np.float32)
    for lamp, place, distance, is_there in zip(lamps, seen, distances, in_front):
        if not is_there:
            continue
        radius = max(0.5, camera.focal_px * lamp.radius_m / distance)
        axes = (radius, radius * (lamp.smear if mirror else 0.7))
        center = tuple(int(value) for value in fixed(place[None])[0])
        whole = tuple(round(axis * (1 << SHIFT)) for axis in axes)
        cv2.ellipse(layer, center, whole, 0, 0, 360, lamp.power, -1, cv2.LINE_8, SHIFT)
    picture += cv2.GaussianBlur(layer, (0, 0), 1.5)[..., None]
