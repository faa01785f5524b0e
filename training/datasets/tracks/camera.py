"""The camera of a small car over a flat floor: which point of the world is seen by which pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
NEAREST_M = 0.02  # nothing nearer to the camera's plane is drawn
SHIFT = 4  # fractional bits of OpenCV's coordinates
_WIDEST = 1.45  # rad; rays further off the axis, in the corners of a fisheye, are bent back to this


@dataclass(frozen=True)
class Camera:
    """A lens of which straight lines bulge, after Devernay & Faugeras 2001: r_d = atan(wide · r_u) / wide.

    The world has x to the right, y ahead and z up; its origin is on the floor below the camera. The model
    can be inverted exactly, so floors are looked up and corners are projected by the same lens.

    Attributes:
        size_hw: of the picture, px.
        focal_px: in the middle of the picture.
        wide: 0 is a pinhole, 1 an equidistant fisheye.
        height_m: of the lens above the floor.
        pitch: looks down by it, rad.
        roll: leans to the right by it, rad.
    """

    size_hw: tuple[int, int]
    focal_px: float
    wide: float
    height_m: float
    pitch: float
    roll: float = 0.0

    @classmethod
    def of_view(
        cls,
        size_hw: tuple[int, int],
        *,
        view: float,
        wide: float,
        height_m: float,
        pitch: float,
        roll: float = 0.0,
    ) -> Camera:
        """A camera that sees the angle ``view`` (rad) from its left to its right border."""
        wide = max(wide, 1e-3)
        half = math.atan(wide * math.tan(view / 2)) / wide
        return cls(size_hw, size_hw[1] / 2 / half, wide, height_m, pitch, roll)

    @property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3); its columns are the picture's right, the picture's down and ahead, in the world."""
        down, ahead = math.sin(self.pitch), math.cos(self.pitch)
        right = np.array([1.0, 0.0, 0.0])
        below = np.array([0.0, -down, -ahead])
        forward = np.array([0.0, ahead, -down])
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        return np.stack([cos * right - sin * below, sin * right + cos * below, forward], axis=1)

    def rays(self) -> tuple[Plane, Plane, Plane]:
        """Directions x, y, z in the world, (H, W) each, of the middles of all pixels; ahead is about 1."""
        height, width = self.size_hw
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / self.focal_px
        y = ((np.arange(height, dtype=np.float32) + 0.5 - height / 2) / self.focal_px)[:, None]
        radius = np.sqrt(x * x + y * y) + 1e-6
        stretch = np.tan(np.minimum(self.wide * radius, _WIDEST)) / (self.wide * radius)
        x, y = x * stretch, y * stretch
        axes = self.axes.astype(np.float32)
        a, b, c = (axes[i, 0] * x + axes[i, 1] * y + axes[i, 2] for i in range(3))
        return a, b, c

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Where points of the world are in the picture.

        Args:
            points: (N, 3), m.

        Returns:
            (N, 2) px, x first, where (0, 0) is the outer corner of the first pixel; and (N,) whether a point
            is in front of the camera. Where it is not, the place means nothing.
        """
        seen = (points - (0.0, 0.0, self.height_m)) @ self.axes
        in_front = seen[:, 2] > NEAREST_M
        plane = seen[:, :2] / np.maximum(seen[:, 2:], NEAREST_M)
        radius = np.hypot(plane[:, 0], plane[:, 1]) + 1e-9
        shrink = np.arctan(self.wide * radius) / (self.wide * radius)
        height, width = self.size_hw
        return plane * (shrink * self.focal_px)[:, None] + (width / 2, height / 2), in_front


def drawn(size_hw: tuple[int, int], rng: np.random.Generator) -> Camera:
    """A camera as small cars have them: 8 to 30 cm above the floor, 55° to 150° wide, looking ahead and down.

    Args:
        size_hw: of the picture, px.
        rng: decides.
    """
    view = math.radians(rng.uniform(55, 150))
    wide = rng.uniform(0.0, 0.35) if view < 1.3 else rng.uniform(0.35, 0.98)
    height_m = math.exp(rng.uniform(math.log(0.08), math.log(0.30)))
    pitch = math.radians(rng.uniform(-3, 32) if rng.random() < 0.8 else rng.uniform(5, 20))
    roll = math.radians(rng.normal(0, 1.8))
    return Camera.of_view(size_hw, view=view, wide=wide, height_m=height_m, pitch=pitch, roll=roll)


def fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Coordinates for OpenCV, whose (0, 0) is the middle of the first pixel."""
    limited = np.clip(points - 0.5, -4000, 4000)
    return np.asarray(np.rint(limited * (1 << SHIFT)), np.int32)
