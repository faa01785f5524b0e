"""Marks: corridor, lane and stop line, drawn into a frame with their metres."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import draw
from perception.frames import Frame, check
from perception.ground.camera import Points
from perception.ground.corridor import Corridor, Lane
from perception.ground.floor import Floor
from perception.ground.stop_line import StopLine

_EDGE, _MIDDLE, _STOP = (60, 210, 250), (250, 200, 60), (80, 80, 250)  # BGR
_WIDTH_M = 0.2  # of a stop line where no lane is known
_SHIFT = 4  # fractional bits of OpenCV's coordinates


def drawn(frame: Frame, floor: Floor, way: Corridor, lane: Lane | None, stop: StopLine) -> Frame:
    """A copy of a frame, (H, W, 3) uint8 BGR, with what is known of the floor.

    Raises:
        FrameError: the frame is not such an array.
    """
    check(frame)
    picture: Frame = frame.copy()
    thick = 1 + frame.shape[0] // 240
    marks = []
    if way:
        for line in way.edges():
            _line(picture, floor, line, _EDGE, thick)
        _line(picture, floor, way.middle, _MIDDLE, thick)
    if lane is not None:
        place = np.array([[lane.ahead_m, lane.offset_m]])
        side = "left" if lane.offset_m >= 0 else "right"
        turn = math.degrees(lane.heading_rad)
        caption = f"lane {abs(lane.offset_m) * 100:.0f} cm {side}, {turn:+.0f} deg at {lane.ahead_m:.2f} m"
        marks += _mark(floor, place, caption, _MIDDLE, thick)
    if stop.state == "seen":
        ends, middle = _across(way, stop)
        _line(picture, floor, ends, _STOP, 2 * thick)
        marks += _mark(floor, middle, f"stop line {stop.distance_m:.2f} m", _STOP, thick)
    return draw.overlay_boxes(picture, marks)


def _across(way: Corridor, stop: StopLine) -> tuple[Points, Points]:
    """Both ends of a stop line, and its middle, (N, 2) m."""
    lane = way.lane(stop.distance_m) or Lane(stop.distance_m, 0.0, 0.0, _WIDTH_M)
    half = (lane.width_m or _WIDTH_M) / 2
    angle = lane.heading_rad + stop.angle_rad
    middle = np.array([[lane.ahead_m, lane.offset_m]])
    aside = np.array([-math.sin(angle), math.cos(angle)]) * half
    return np.concatenate([middle - aside, middle + aside]), middle


def _mark(
    floor: Floor, place: Points, caption: str, color: tuple[int, int, int], thick: int
) -> list[draw.Mark]:
    x, y = floor.pixels(place)[0].tolist()
    if not (math.isfinite(x) and math.isfinite(y)):
        return []
    reach = 2.0 * thick
    return [draw.Mark((x - reach, y - reach, x + reach, y + reach), caption, color)]


def _line(
    picture: NDArray[np.uint8], floor: Floor, places: Points, color: tuple[int, int, int], thick: int
) -> None:
    pixels = floor.pixels(places)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if len(pixels) > 1:
        fixed = np.rint(np.clip(pixels, -9000, 9000) * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(picture, [fixed], False, color, thick, cv2.LINE_AA, _SHIFT)
