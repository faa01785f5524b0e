"""Boxes: regions of a frame as messages have them, as corners, and as parts of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.errors import FrameError
from perception.frames import Frame

MAX_ROIS = 256  # per frame; one call classifies them all

Box = tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels


class Roi(NamedTuple):
    """A box to classify, as in its message: centre and size in pixels, turned by ``theta`` radians."""

    x: float
    y: float
    width: float
    height: float
    theta: float
    id: str


def rois(detections: Sequence[Any]) -> tuple[Roi, ...]:
    """The boxes of a message's detections; the message may be of rclpy or of rosbags."""
    boxes = []
    for detection in detections:
        box = detection.bbox
        center = getattr(box.center, "position", box.center)  # vision_msgs before 4 has no position
        own_id = getattr(detection, "id", "")  # and no id
        boxes.append(Roi(center.x, center.y, box.size_x, box.size_y, box.center.theta, own_id))
    return tuple(boxes)


def whole(size_hw: tuple[int, int]) -> Roi:
    """The box that is the whole frame."""
    height, width = size_hw
    return Roi(width / 2.0, height / 2.0, float(width), float(height), 0.0, "")


def upright(box: Box, own_id: str = "") -> Roi:
    """A box given by its corners, as a message has it."""
    x1, y1, x2, y2 = box
    return Roi((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, 0.0, own_id)


def corners(boxes: Sequence[Roi]) -> NDArray[np.float64]:
    """(N, 4) xyxy pixels: the upright boxes around boxes that may be turned.

    Raises:
        FrameError: reason ``box``: there are more than MAX_ROIS.
    """
    if len(boxes) > MAX_ROIS:
        raise FrameError("box", f"{len(boxes)} boxes for one frame; at most {MAX_ROIS} are taken")
    rows = np.array([box[:5] for box in boxes], dtype=np.float64)
    x, y, width, height, theta = rows.reshape(-1, 5).T
    with np.errstate(invalid="ignore"):  # clip refuses boxes of NaN or infinity
        cos, sin = np.abs(np.cos(theta)), np.abs(np.sin(theta))
        half_width, half_height = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
        return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)


def overlaps(first_xyxy: NDArray[Any], second_xyxy: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union of each box (M, 4) with each of others (N, 4): (M, N), 0…1."""
    first, second = first_xyxy.astype(np.float64), second_xyxy.astype(np.float64)
    low = np.maximum(first[:, None, :2], second[:, :2])
    high = np.minimum(first[:, None, 2:], second[:, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - shared
    overlap: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=overlap, where=union > 0)
    return overlap


def distinct(boxes_xyxy: NDArray[Any], most: float) -> list[int]:
    """Which boxes remain if none may share more than ``most`` of the smaller one with a better one.

    Args:
        boxes_xyxy: (M, 4) corners, best first.
        most: 0…1.
    """
    low = np.maximum(boxes_xyxy[:, None, :2], boxes_xyxy[:, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], boxes_xyxy[:, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = shared.diagonal()
    excluded = shared > most * np.minimum(areas[:, None], areas)
    chosen: list[int] = []
    for index in range(len(boxes_xyxy)):
        if not excluded[index, chosen].any():
            chosen.append(index)
    return chosen


def pairs(first_xyxy: NDArray[Any], second_xyxy: NDArray[Any], least: float) -> dict[int, int]:
    """Which box of a second list is which of a first: those that overlap most first, each box once.

    Args:
        first_xyxy: (M, 4) corners.
        second_xyxy: (N, 4) corners.
        least: intersection over union of a pair, 0…1.

    Returns:
        Index into the first list → index into the second.
    """
    overlap = overlaps(first_xyxy, second_xyxy)
    chosen: dict[int, int] = {}
    for index in np.argsort(-overlap, axis=None).tolist():
        first, second = divmod(index, len(second_xyxy))
        if overlap[first, second] < least:
            break
        if first not in chosen and second not in chosen.values():
            chosen[first] = second
    return chosen


def clip(boxes_xyxy: ArrayLike, height: int, width: int) -> list[Box]:
    """Cut boxes at the border of a frame.

    Args:
        boxes_xyxy: (M, 4) corners in pixels.

    Raises:
        FrameError: reason ``box``: not (M, 4) finite numbers, or a box has no area within the frame or is
            smaller than a pixel, as one in shares of the picture is.
    """
    try:
        boxes = np.asarray(boxes_xyxy, np.float64)
    except (TypeError, ValueError) as error:
        raise FrameError("box", f"boxes are not (M, 4) numbers ({error})") from error
    if boxes.size == 0:
        return []
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise FrameError("box", f"boxes have shape {boxes.shape}; (M, 4) as x1, y1, x2, y2 is needed")
    clipped = np.clip(boxes, 0, (width, height, width, height))
    finite = [all(map(isfinite, box)) for box in boxes.tolist()]
    for box, (x1, y1, x2, y2), is_finite in zip(boxes.tolist(), clipped.tolist(), finite, strict=True):
        if not (is_finite and x1 < x2 and y1 < y2):
            raise FrameError("box", f"box {box} has no area within a frame of {width}x{height} pixels")
        left, top, right, bottom = box
        if min(right - left, bottom - top) < 1 or max(right, bottom) <= 1:
            problem = f"box {box} is smaller than a pixel; are these shares of the picture?"
            raise FrameError("box", f"{problem} Multiply them by its width and height, {width}x{height}")
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in clipped.tolist()]


def crop(frame: Frame, box: Box, *, margin: float) -> Frame:
    """Cut a box out of a frame; the result is a view.

    Args:
        margin: how far around the box the crop reaches on each side, as a share of its width and height.
    """
    x1, y1, x2, y2 = box
    dx, dy = margin * (x2 - x1), margin * (y2 - y1)
    height, width = frame.shape[:2]
    return frame[_pixels(y1 - dy, y2 + dy, height), _pixels(x1 - dx, x2 + dx, width)]


def _pixels(low: float, high: float, size: int) -> slice:
    """The whole pixels between two positions; at least two, so that thin boxes at the border can be used."""
    start = max(0, min(int(low), size - 2))
    return slice(start, max(start + 2, ceil(high)))
