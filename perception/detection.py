"""Detection: a frame in, the boxes of all traffic signs in it out.

It only says where to look. Which sign each box shows, and whether it is one, is the classifier's to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import draw
from perception.boxes import distinct
from perception.frames import Frame, check, resize
from perception.latency import NO_LAPS, Stopwatch
from perception.model import EngineModel

MAX_FACTOR = 4.0
LARGEST_SIDE = 2.0  # times that of a frame with ``enlarge_to`` pixels
_MIN_FACTOR = 1.1  # less is not worth the scaling
_MIN_SIDE_PX = 1.0  # a classifier refuses smaller boxes
_SAME = 0.6  # share of the smaller box that lies in the other, from which on both are of one sign


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes found in one frame, best first.

    Attributes:
        xyxy: (M, 4) float32 corners in pixels of the frame, clipped to it; read-only.
        scores: (M,) float32 in 0…1; read-only.
        latency_ms: by stage.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    latency_ms: Mapping[str, float] = field(default_factory=dict, repr=False)

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame with each box and its score drawn in."""
        marks = [
            draw.Mark((x1, y1, x2, y2), f"{int(score * 100)}%", draw.KNOWN)
            for (x1, y1, x2, y2), score in zip(self.xyxy.tolist(), self.scores.tolist(), strict=True)
        ]
        return draw.overlay_boxes(frame, marks)

    def __len__(self) -> int:
        return len(self.xyxy)


class SignDetector(EngineModel):
    """Finds the traffic signs in a frame.

    All boxes whose score reaches ``spec.threshold`` are given. It is low on purpose: whoever reads the signs
    rejects what is none, but cannot read what was not found.

    Args:
        engine: an opened model of task ``sign_detection``.

    Raises:
        WrongTaskError: the model is for another task.
    """

    task = "sign_detection"

    def __call__(self, frame: Frame) -> Boxes:
        """The same as ``find``."""
        return self.find(frame)

    def find(self, frame: Frame) -> Boxes:
        """Find the signs in one frame, (H, W, 3) uint8 BGR of any size.

        Raises:
            FrameError: the frame is not such an array.
        """
        watch = Stopwatch()
        batch = self.prepare(frame)
        watch.lap("prepare")
        outputs = self.engine.infer(batch)
        watch.lap("infer")
        boxes = self.finish(outputs, frame.shape[:2], latency_ms=watch.laps_ms)
        watch.lap("finish")
        return boxes

    def prepare(self, frame: Frame) -> Frame:
        """First stage: (1, H, W, 3) uint8 for the engine, out of a frame of any size.

        A small frame is enlarged, a huge one shrunk. What is missing to a multiple of the stride is added in
        black, at the right and below.
        """
        check(frame)
        size_hw, padded_hw = self._fit(frame.shape[:2])
        scaled = rescale(frame, self.spec.enlarge_to) if self.spec.stride else resize(frame, size_hw)
        missing = (padded_hw[0] - size_hw[0], padded_hw[1] - size_hw[1])
        if any(missing):
            scaled = np.asarray(
                cv2.copyMakeBorder(scaled, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT), np.uint8
            )
        return np.ascontiguousarray(scaled)[np.newaxis]

    def finish(
        self,
        outputs: Mapping[str, NDArray[Any]],
        size_hw: tuple[int, int],
        *,
        latency_ms: Mapping[str, float] = NO_LAPS,
    ) -> Boxes:
        """Last stage: the engine's outputs as a result.

        Args:
            outputs: ``boxes`` (M, 4) in pixels of what ``prepare`` made, ``scores`` (M,).
            size_hw: of the frame. Boxes are cut at its border; those centred outside of it are dropped,
                because less than half of such a sign is in the picture. So are those that mostly share
                their place with a better one: a near, large sign is found at several of its points.
            latency_ms: is put into the result.
        """
        height, width = size_hw
        (scaled_height, scaled_width), _ = self._fit(size_hw)
        scale = np.array([width / scaled_width, height / scaled_height] * 2, np.float32)
        found, scores = outputs["boxes"] * scale, outputs["scores"]
        with np.errstate(invalid="ignore"):  # NaN and infinity compare as false and are dropped
            clipped = np.clip(found, 0, np.array([width, height] * 2, np.float32))
            middle = (found[:, :2] + found[:, 2:]) / 2
            is_inside = ((middle >= 0) & (middle <= (width, height))).all(axis=1)
            is_large = (clipped[:, 2:] - clipped[:, :2] >= _MIN_SIDE_PX).all(axis=1)
            is_found = (scores >= self.spec.threshold) & (scores > 0)
        chosen = np.flatnonzero(is_inside & is_large & is_found)
        order = chosen[np.argsort(-scores[chosen], kind="stable")]
        order = order[distinct(clipped[order], _SAME)]
        xyxy, best_first = clipped[order], np.minimum(scores[order], 1)
        xyxy.flags.writeable = False
        best_first.flags.writeable = False
        return Boxes(xyxy, best_first, latency_ms)

    def _fit(self, size_hw: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """The size that a frame is scaled to, and that with its padding, both (height, width)."""
        if not self.spec.stride:
            return self.spec.input_hw, self.spec.input_hw
        scaled_hw = _scaled(size_hw, self.spec.enlarge_to)
        return scaled_hw, self.spec.padded(scaled_hw)


def scale_factor(size_hw: tuple[int, int], enlarge_to: int) -> float:
    """By which factor a frame is scaled: 1 leaves it as it is.

    Frames of fewer pixels than ``enlarge_to`` are enlarged to as many, at most fourfold along each side.
    Those of more than four times as many are shrunk to that, because no larger signs were learnt, and time
    and memory grow.

    Args:
        size_hw: of the frame.
        enlarge_to: see ``ModelSpec``.
    """
    if not enlarge_to:
        return 1.0
    height, width = size_hw
    factor = math.sqrt(enlarge_to / (height * width))
    if factor < 1 / LARGEST_SIDE:
        return LARGEST_SIDE * factor
    return min(factor, MAX_FACTOR) if factor >= _MIN_FACTOR else 1.0


def rescale(frame: Frame, enlarge_to: int) -> Frame:
    """Scale a frame as a detector wants it; one of a good size is given back itself.

    To enlarge, interpolation is cubic, which finds a little more than linear does and takes no longer.

    Args:
        frame: (H, W, 3) uint8 BGR.
        enlarge_to: see ``ModelSpec``.
    """
    size_hw = _scaled(frame.shape[:2], enlarge_to)
    if size_hw[0] <= frame.shape[0]:
        return resize(frame, size_hw)
    return np.asarray(cv2.resize(frame, size_hw[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _scaled(size_hw: tuple[int, int], enlarge_to: int) -> tuple[int, int]:
    factor = scale_factor(size_hw, enlarge_to)
    height, width = (round(side * factor) for side in size_hw)
    return height, width
