"""Boxes: regions of a frame as vision_msgs/Detection2DArray has them, and their corners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError

MAX_ROIS = 256  # of a frame; one call classifies them all


class Roi(NamedTuple):
    """A box to classify, as its message has it: centre and size in pixels, turned by ``theta`` radians."""

    x: float
    y: float
    width: float
    height: float
    theta: float
    id: str


def rois(detections: Sequence[Any]) -> tuple[Roi, ...]:
    """The boxes of a message's detections, of rclpy or of rosbags."""
    found = []
    for detection in detections:
        box = detection.bbox
        center = getattr(box.center, "position", box.center)  # vision_msgs before 4 has no position
        own = getattr(detection, "id", "")  # nor an id
        found.append(Roi(center.x, center.y, box.size_x, box.size_y, box.center.theta, own))
    return tuple(found)


def corners(boxes: Sequence[Roi]) -> NDArray[np.float64]:
    """(N, 4) xyxy pixels: the upright boxes around boxes that may be turned."""
    rows = np.array([box[:5] for box in boxes], dtype=np.float64)
    x, y, width, height, theta = rows.reshape(-1, 5).T
    with np.errstate(invalid="ignore"):  # a box of NaN or infinity is refused where boxes meet the frame
        cos, sin = np.abs(np.cos(theta)), np.abs(np.sin(theta))
        half_width, half_height = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
        return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)


def require_few(boxes: Sequence[Any]) -> None:
    """Refuse a frame with more than MAX_ROIS boxes.

    Raises:
        FrameError: box.
    """
    if len(boxes) > MAX_ROIS:
        raise FrameError("box", f"{len(boxes)} boxes for one frame; at most {MAX_ROIS} are taken")
