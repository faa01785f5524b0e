"""The lens of a rendered track's camera as ROS describes lenses: a picture with its exact calibration."""

from __future__ import annotations

import numpy as np

import perception
from training.datasets.tracks.camera import Camera

_DEGREES = 80.0  # off the axis, up to which four numbers follow the lens


def calibrated(camera: Camera) -> perception.Camera:
    """A camera's calibration: ``plumb_bob`` of a pinhole, else ``equidistant``, 0.1 px off at most."""
    height, width = camera.size_hw
    matrix = (camera.focal_px, 0.0, width / 2 - 0.5, 0.0, camera.focal_px, height / 2 - 0.5, 0.0, 0.0, 1.0)
    if camera.wide < 0.01:
        return perception.Camera(width, height, matrix)
    angle = np.radians(np.linspace(1.0, _DEGREES, 200))
    bent = np.arctan(camera.wide * np.tan(angle)) / camera.wide
    powers = angle[:, None] ** np.array([3, 5, 7, 9])
    numbers, *_ = np.linalg.lstsq(powers, bent - angle, rcond=None)
    return perception.Camera(width, height, matrix, tuple(numbers.tolist()), "equidistant")
