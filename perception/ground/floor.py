"""Floor: where on it the pixels of a camera are, which looks down on it from a known height.

The camera's frame is that of its pictures: x right, y down, z ahead. Places on the floor are (ahead, left) in
metres from the point below the lens, as REP 103 has x and y of a car.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.errors import CameraError
from perception.ground.camera import Camera, Points

_FARTHEST = 1000.0  # heights; rays that meet the floor beyond this are as good as level
CELLS = 200  # of a plan, each way


@dataclass(frozen=True)
class Pose:
    """How a camera is over the floor.

    Attributes:
        height_m: of the lens above the floor.
        pitch_deg: by which it looks down.
        roll_deg: by which it leans to its right.

    Raises:
        CameraError: no camera can see a floor so.
    """

    height_m: float
    pitch_deg: float
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.height_m, self.pitch_deg, self.roll_deg)
        if not all(map(math.isfinite, numbers)) or not 0 < self.height_m <= 100:
            raise CameraError(f"camera: its height is {self.height_m:g} m; measure the lens above the floor")
        if not -45 <= self.pitch_deg <= 90 or not -45 <= self.roll_deg <= 45:
            raise CameraError(
                f"camera: it looks down by {self.pitch_deg:g}° and leans by {self.roll_deg:g}°; "
                "give the pitch as -45 to 90, and the roll as -45 to 45 degrees"
            )

    @classmethod
    def of_down(cls, down: ArrayLike, height_m: float) -> Pose:
        """From the direction straight down in the camera's frame, (3,) of any length."""
        x, y, z = np.asarray(down, np.float64) / np.linalg.norm(np.asarray(down, np.float64))
        pitch = math.degrees(math.atan2(z, math.hypot(x, y)))
        return cls(height_m, pitch, math.degrees(math.atan2(x, y)))

    @property
    def axes(self) -> Points:
        """(3, 3); its rows are ahead, left and up on the floor, in the camera's frame."""
        pitch, roll = math.radians(self.pitch_deg), math.radians(self.roll_deg)
        cos = math.cos(pitch)
        up = -np.array([math.sin(roll) * cos, math.cos(roll) * cos, math.sin(pitch)])
        # Straight down, there is no ahead but the picture's up.
        forward = np.array([0.0, 0.0, 1.0]) if self.pitch_deg < 89.9 else np.array([0.0, -1.0, 0.0])
        ahead = forward - (forward @ up) * up
        ahead /= np.linalg.norm(ahead)
        return np.stack([ahead, np.cross(up, ahead), up])


@dataclass(frozen=True)
class Floor:
    """A flat floor under a camera.

    Attributes:
        camera: at the size of the pictures.
        pose: over the floor.
    """

    camera: Camera
    pose: Pose

    def meet(self, slopes: NDArray[np.floating]) -> NDArray[np.floating]:
        """Where rays meet the floor: (..., 2) of x/z and y/z to (..., 3) in the camera's frame.

        NaN where they do not, because they lead to the horizon or above it.
        """
        down = (-self.pose.axes[2]).astype(slopes.dtype)
        sinking = slopes[..., 0] * down[0] + slopes[..., 1] * down[1] + down[2]
        with np.errstate(invalid="ignore"):
            times = np.where(sinking > 1 / _FARTHEST, self.pose.height_m / sinking, np.nan)
        times = times.astype(slopes.dtype)
        return np.stack([slopes[..., 0] * times, slopes[..., 1] * times, times], axis=-1)

    def places(self, uv: ArrayLike) -> Points:
        """Where pixels are on the floor: (N, 2) px to (N, 2) m ahead and left, NaN above the horizon."""
        return np.asarray(self.meet(self.camera.slopes(uv)) @ self.pose.axes[:2].T, np.float64)

    def points(self, places: ArrayLike) -> Points:
        """Places on the floor, (N, 2) m ahead and left, as (N, 3) in the camera's frame."""
        on_floor = np.asarray(places, np.float64).reshape(-1, 2)
        return np.column_stack([on_floor, np.full(len(on_floor), -self.pose.height_m)]) @ self.pose.axes

    def pixels(self, places: ArrayLike) -> Points:
        """Where places on the floor are in the picture: (N, 2) m to (N, 2) px, NaN where it is not seen."""
        return self.camera.pixels(self.points(places))

    @cached_property
    def cloud(self) -> NDArray[np.float32]:
        """(H, W, 3) float32: where each pixel is on the floor, in the camera's frame; NaN above it."""
        found = np.asarray(self.meet(self.camera.slopes_of_all()), np.float32)
        found.flags.writeable = False
        return found


class Plan:
    """The floor before the car from above, in cells: the nearest row first, the rightmost column first.

    Args:
        floor: that is looked at.
        reach_m: how far ahead; the plan is as wide.

    Attributes:
        cell_m: side of a cell.
        ahead_m: (R,) of the rows.
        left_m: (C,) of the columns.
        seen: (R, C) bool, cells that are in the picture.
    """

    def __init__(self, floor: Floor, reach_m: float) -> None:
        self.reach_m = reach_m
        self.cell_m = reach_m / CELLS
        self.ahead_m: Points = np.asarray((np.arange(CELLS) + 0.5) * self.cell_m, np.float64)
        self.left_m: Points = np.asarray((np.arange(CELLS) + 0.5 - CELLS / 2) * self.cell_m, np.float64)
        left, ahead = np.meshgrid(self.left_m, self.ahead_m)
        pixels = floor.pixels(np.stack([ahead, left], axis=-1).reshape(-1, 2))
        # A lens that is not described out there may lead back into the picture.
        back = floor.places(pixels)
        with np.errstate(invalid="ignore"):
            off = np.abs(back - np.stack([ahead, left], axis=-1).reshape(-1, 2)).max(axis=1)
            limits = (floor.camera.width - 0.5, floor.camera.height - 0.5)
            inside = ((pixels >= -0.5) & (pixels <= limits)).all(axis=1) & (off < self.cell_m)
        self.seen = inside.reshape(CELLS, CELLS)
        aims = np.where(inside[:, None], pixels, -9.0).astype(np.float32).reshape(CELLS, CELLS, 2)
        self._x, self._y = np.ascontiguousarray(aims[..., 0]), np.ascontiguousarray(aims[..., 1])

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(R, C): what a picture (H, W) shows of each cell, interpolated; the border's value beside it."""
        looked = cv2.remap(picture, self._x, self._y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        return np.asarray(looked, np.uint8)
