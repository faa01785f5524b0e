"""Camera: a virtual one, which drives towards a sign in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.boxes import Box
from perception.frames import Frame

FIRST_SIZE, LAST_SIZE = 14.0, 80.0  # px of the sign in the camera's frames: an approach
WIDTHS = (240, 720)  # px of the camera's frames, such that the sign begins small
SLACK = 0.9  # share of the picture that the first frame shows, so that there is room for a pan
OFFSET = (0.32, -0.12)  # where the sign is in the end, in shares of the frame from its middle
APPROACH_S = (2.5, 4.0)
AFTER_S = 1.2  # the camera drives on, and the sign leaves the frame
END_ZOOM = 2.2  # times the zoom at LAST_SIZE, where it stops
PAN = 0.04  # amplitude of the swing, in shares of the width
PAN_HZ = (0.3, 0.7)


@dataclass(frozen=True)
class View:
    """What the camera shows: ``zoom`` pixels for each of the picture's, around a point of it.

    Attributes:
        x: of that point, px of the picture.
        y: the same.
        zoom: pixels of the frame for one of the picture.
        width: of the frame.
        height: of the frame.
    """

    x: float
    y: float
    zoom: float
    width: int
    height: int

    def box(self, box: Box) -> Box:
        """Where a box of the picture is in the frame."""
        x1, y1, x2, y2 = box
        left, top = self.width / 2 - self.x * self.zoom, self.height / 2 - self.y * self.zoom
        return (x1 * self.zoom + left, y1 * self.zoom + top, x2 * self.zoom + left, y2 * self.zoom + top)

    def render(self, pyramid: Sequence[Frame]) -> Frame:
        """The frame, out of the picture at full size, half size and so on."""
        level = 0
        while self.zoom * 2**level < 0.5 and level + 1 < len(pyramid):  # shrunk further, pixels would be lost
            level += 1
        scale = self.zoom * 2**level
        # Pixel centres are at a half, so that boxes and pixels agree.
        left = self.width / 2 - self.x * self.zoom + 0.5 * scale - 0.5
        top = self.height / 2 - self.y * self.zoom + 0.5 * scale - 0.5
        matrix = np.array(((scale, 0, left), (0, scale, top)), np.float64)
        size = (self.width, self.height)
        border = cv2.BORDER_REFLECT_101
        return np.asarray(cv2.warpAffine(pyramid[level], matrix, size, borderMode=border), np.uint8)


class Approach:
    """The camera's way towards a sign: straight on at a constant speed, swinging a little.

    Args:
        picture: (H, W, 3) uint8 BGR.
        target: the sign's box in it.
        rng: decides how long it takes and how it swings.
    """

    def __init__(self, picture: Frame, target: Box, rng: np.random.Generator) -> None:
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = target
        size = sqrt((x2 - x1) * (y2 - y1))
        self.size = (width, height)
        self.width = round(min(max(SLACK * width * FIRST_SIZE / size, WIDTHS[0]), WIDTHS[1]))
        self.height = round(self.width * height / width)
        self.first_zoom = self.width / (SLACK * width)
        self.last_zoom = max(LAST_SIZE / size, 1.2 * self.first_zoom)
        self.approach_s = float(rng.uniform(*APPROACH_S))
        self.length_s = self.approach_s + AFTER_S
        side = 1 if (x1 + x2) / 2 > width / 2 else -1
        self.x = (x1 + x2) / 2 - side * OFFSET[0] * self.width / self.last_zoom
        self.y = (y1 + y2) / 2 - OFFSET[1] * self.height / self.last_zoom
        self.pan_hz, self.phase = rng.uniform(*PAN_HZ), rng.uniform(0, 2 * np.pi)
        self.pyramid = [picture]
        while min(self.pyramid[-1].shape[:2]) > 64:
            half = cv2.resize(self.pyramid[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self.pyramid.append(np.asarray(half, np.uint8))

    def view(self, seconds: float, shake: NDArray[np.float64]) -> tuple[View, float]:
        """What the camera shows, moved by ``shake`` in widths, and the speed of its swing, px a second."""
        swing = 2 * np.pi * self.pan_hz
        slope = (1 / self.last_zoom - 1 / self.first_zoom) / self.approach_s
        inverse = max(1 / self.first_zoom + slope * seconds, 1 / (END_ZOOM * self.last_zoom))
        zoom = 1 / inverse
        x = self.x + (PAN * self.width * np.sin(swing * seconds + self.phase) + shake[0] * self.width) / zoom
        y = self.y + shake[1] * self.width / zoom
        margin_x, margin_y = self.width / 2 / zoom, self.height / 2 / zoom
        x = min(max(x, margin_x), self.size[0] - margin_x)
        y = min(max(y, margin_y), self.size[1] - margin_y)
        speed = PAN * self.width * swing * np.cos(swing * seconds + self.phase)
        return View(float(x), float(y), zoom, self.width, self.height), float(speed)
