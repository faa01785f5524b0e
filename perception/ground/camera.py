"""Camera: which ray each pixel sees, by the two lens models of ROS, as OpenCV computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from perception.errors import CameraError

Points = NDArray[np.float64]
PINHOLE = ("plumb_bob", "rational_polynomial")  # OpenCV's own model, of 4 to 14 numbers
FISHEYE = ("equidistant", "fisheye")  # Kannala & Brandt 2006, of 4 numbers
_NUMBERS = {**dict.fromkeys(PINHOLE, (0, 4, 5, 8, 12, 14)), **dict.fromkeys(FISHEYE, (0, 4))}
_WIDEST = math.tan(math.radians(85))  # rays further off the axis are of no use on a floor
_NODES = 160  # rays across that are computed exactly, because each takes long
_EXACT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-9)
_MISSED_PX = 0.3  # a pixel whose ray does not lead back to it is outside of what the model describes
_REMEDY = "calibrate it (camera_calibration), and give the camera's driver the file (camera_info_url)"


@dataclass(frozen=True)
class Camera:
    """A calibrated camera, with the fields of a sensor_msgs/CameraInfo.

    Attributes:
        width: of the picture, px.
        height: of the picture, px.
        K: nine numbers, row by row: fx 0 cx, 0 fy cy, 0 0 1. (0, 0) is the middle of the first pixel.
        D: numbers of the lens; empty for one without distortion.
        distortion_model: ``"plumb_bob"``, ``"rational_polynomial"``, ``"equidistant"`` or ``"fisheye"``.

    Raises:
        CameraError: it is not calibrated, or its lens is described in another way.
    """

    width: int
    height: int
    K: tuple[float, ...]
    D: tuple[float, ...] = ()
    distortion_model: str = "plumb_bob"

    def __post_init__(self) -> None:
        if self.width < 2 or self.height < 2:
            raise CameraError(f"camera: its size is {self.width}x{self.height}; {_REMEDY}")
        if len(self.K) != 9 or not all(map(math.isfinite, self.K)) or min(self.K[0], self.K[4]) <= 0:
            what = "all zeros, so it is not calibrated" if not any(self.K) else f"{list(self.K)}"
            raise CameraError(f"camera: K is {what}; {_REMEDY}")
        if self.distortion_model not in _NUMBERS:
            known = ", ".join(_NUMBERS)
            raise CameraError(
                f"camera: distortion_model is {self.distortion_model!r}; calibrate it as one of {known}"
            )
        if len(self.D) not in _NUMBERS[self.distortion_model] or not all(map(math.isfinite, self.D)):
            counts = " or ".join(map(str, _NUMBERS[self.distortion_model]))
            raise CameraError(
                f"camera: D is {list(self.D)}; {self.distortion_model} has {counts} numbers; {_REMEDY}"
            )

    @classmethod
    def of_info(cls, info: Any) -> Camera:
        """From a CameraInfo, or anything with its fields (``k`` or ``K``, ``d`` or ``D``).

        Where the message says that only a part of the sensor is read (``roi``), or every second pixel
        (``binning_x``), the result is about the picture that comes out.

        Raises:
            CameraError: it is not calibrated, or its lens is described in another way.
        """
        model = str(getattr(info, "distortion_model", "") or PINHOLE[0])
        k, d = (
            tuple(float(number) for number in getattr(info, name, getattr(info, name.upper(), ())))
            for name in ("k", "d")
        )
        camera = cls(int(info.width), int(info.height), k, d, model)
        roi = getattr(info, "roi", None)
        if roi is not None and roi.width and roi.height:
            camera = camera._cut(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height))
        binning = [max(1, int(getattr(info, f"binning_{axis}", 0))) for axis in "xy"]
        if binning != [1, 1]:
            camera = camera.resized((camera.height // binning[1], camera.width // binning[0]))
        return camera

    @classmethod
    def read(cls, path: str | Path) -> Camera:
        """From the file that ROS' camera_calibration writes (``ost.yaml``).

        Raises:
            CameraError: the file is missing, is no such file, or its camera cannot be used.
        """
        try:
            content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
            return cls(
                int(content["image_width"]),
                int(content["image_height"]),
                _numbers(content["camera_matrix"]["data"]),
                _numbers(content["distortion_coefficients"]["data"]),
                str(content.get("distortion_model", PINHOLE[0])),
            )
        except OSError as error:
            raise CameraError(f"{path}: {error.strerror or error}") from error
        except CameraError as error:
            raise CameraError(f"{path}: {error}") from error
        except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            raise CameraError(
                f"{path}: no calibration of camera_calibration, such as ost.yaml ({problem})"
            ) from error

    def scaled(self, size_hw: tuple[int, int]) -> Camera:
        """The same camera with its pictures at another size.

        Raises:
            CameraError: the size has other proportions, so that it is another part of the picture.
        """
        height, width = size_hw
        if (height, width) == (self.height, self.width):
            return self
        if abs(width * self.height - height * self.width) > max(width, height, self.width, self.height):
            raise CameraError(
                f"camera: it is calibrated for {self.width}x{self.height}, and the picture is "
                f"{width}x{height}, which is not the same view; calibrate it at the picture's size, or say "
                "in its camera_info which part of the sensor is read (roi)"
            )
        return self.resized(size_hw)

    def resized(self, size_hw: tuple[int, int]) -> Camera:
        """The same view at another size, also if that stretches it, as a model stretches its input."""
        height, width = size_hw
        x, y = width / self.width, height / self.height
        fx, skew, cx, zero, fy, cy, *last = self.K
        matrix = (fx * x, skew * x, (cx + 0.5) * x - 0.5, zero, fy * y, (cy + 0.5) * y - 0.5, *last)
        return Camera(width, height, matrix, self.D, self.distortion_model)

    @property
    def matrix(self) -> Points:
        """K as (3, 3)."""
        return np.array(self.K, np.float64).reshape(3, 3)

    @property
    def is_fisheye(self) -> bool:
        return self.distortion_model in FISHEYE

    def slopes(self, uv: ArrayLike) -> Points:
        """What pixels see: x/z and y/z of their rays, in the optical frame (x right, y down, z ahead).

        Args:
            uv: (N, 2) px; whole numbers are the middles of pixels.

        Returns:
            (N, 2); NaN where the lens is not described by its model, or a ray is 85° and more off the axis.
        """
        pixels = np.asarray(uv, np.float64).reshape(-1, 1, 2)
        if not len(pixels):
            return np.zeros((0, 2))
        undistort = cv2.fisheye.undistortPoints if self.is_fisheye else cv2.undistortPoints
        found = np.asarray(undistort(pixels, self.matrix, self._lens, criteria=_EXACT), np.float64)
        found = found.reshape(-1, 2)
        rays = np.column_stack([found, np.ones(len(found))])
        with np.errstate(invalid="ignore"):
            missed = np.abs(self.pixels(rays) - pixels[:, 0]).max(axis=1)
            found[~((missed < _MISSED_PX) & (np.abs(found).max(axis=1) < _WIDEST))] = np.nan
        return found

    def slopes_of_all(self) -> NDArray[np.float32]:
        """The same of all pixels, (H, W, 2): of large pictures, some are exact, and it is linear between."""
        stride = 1 << max(0, round(math.log2(self.width / _NODES)))  # 4 of 640 px: 0.02 px off
        across, down = (np.arange(0, size + stride, stride) for size in (self.width, self.height))
        nodes = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
        coarse = self.slopes(nodes).reshape(len(down), len(across), 2).astype(np.float32)
        x, y = (np.arange(size, dtype=np.float32) / stride for size in (self.width, self.height))
        return np.asarray(cv2.remap(coarse, *np.meshgrid(x, y), cv2.INTER_LINEAR), np.float32)

    def pixels(self, points: ArrayLike) -> Points:
        """Where points are in the picture.

        Args:
            points: (N, 3) in the optical frame.

        Returns:
            (N, 2) px; NaN for points that are not in front of the camera.
        """
        places = np.asarray(points, np.float64).reshape(-1, 3).copy()
        with np.errstate(invalid="ignore"):
            hidden = ~(places[:, 2] > 1e-6)
        places[hidden | ~np.isfinite(places).all(axis=1)] = np.nan
        if not len(places):
            return np.zeros((0, 2))
        no_turn = np.zeros(3)
        seen = places.reshape(-1, 1, 3)
        if self.is_fisheye:
            found, _ = cv2.fisheye.projectPoints(seen, no_turn, no_turn, self.matrix, self._lens)
        else:
            found, _ = cv2.projectPoints(seen, no_turn, no_turn, self.matrix, self._lens)
        return np.asarray(found, np.float64).reshape(-1, 2)

    @property
    def _lens(self) -> Points:
        return np.array(self.D or (0.0,) * 4, np.float64)

    def _cut(self, left: int, top: int, width: int, height: int) -> Camera:
        fx, skew, cx, zero, fy, cy, *last = self.K
        matrix = (fx, skew, cx - left, zero, fy, cy - top, *last)
        return Camera(width, height, matrix, self.D, self.distortion_model)


def _numbers(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
