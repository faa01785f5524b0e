"""The signs node: image_raw (and boxes on rois) in, signs/classification and signs/detections out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from sensor_msgs.msg import CompressedImage, Image

from perception import boxes, topics
from perception.frames import Frame
from perception.latency import Stopwatch
from perception.model import Result, answer
from perception.nodes import diagnostics, inputs, params
from perception.nodes.camera_node import CameraNode
from perception.nodes.job import Job
from perception.nodes.process import run
from perception.topics import Origin


@dataclass(frozen=True)
class BoxesJob(Job):
    """A frame with the boxes that came for it.

    Attributes:
        rois: the boxes; None takes the whole frame.
    """

    rois: tuple[boxes.Roi, ...] | None = None


class SignsNode(CameraNode):
    """Publishes which signs a frame shows: as a whole, or in the boxes that come with it."""

    task = "signs"
    parameters = (
        *params.COMMON,
        params.Param(
            "use_rois", False, "classify the boxes on rois instead of the whole frame", read_only=True
        ),
    )

    def subscribe(self) -> None:
        super().subscribe()
        self._use_rois = params.value(self, "use_rois", bool)
        if self._use_rois:
            self._pairs = Pairs()
            self._boxes = self.input(topics.DETECTIONS, topics.ROIS, self._on_rois, topics.BEST_EFFORT)

    def on_image(self, image: Image | CompressedImage) -> None:
        """Take a frame at once, or if boxes are used, together with its boxes."""
        if self._use_rois:
            self._pair("image", image)
        else:
            self.offer(BoxesJob(image, Stopwatch()))

    def rois_gap(self) -> str:
        """Where boxes come from, and where they are published instead if none came."""
        if not self._inputs or not self._use_rois:
            return ""
        others = [] if self.health.rois_in else inputs.boxes_elsewhere(self, self._boxes, self._outputs)
        return diagnostics.rois_gap(self, self._boxes, others)

    def answer(self, job: Job, frame: Frame) -> Result:
        rois = self._rois(job)
        return answer(self.loaded(), frame, None if rois is None else boxes.corners(rois))

    def origin(self, job: Job, frame: Frame) -> Origin:
        height, width = frame.shape[:2]
        return Origin(job.image.header, (height, width), self._rois(job))

    def _rois(self, job: Job) -> tuple[boxes.Roi, ...] | None:
        assert isinstance(job, BoxesJob)  # this node offers no other jobs
        return job.rois

    def _on_rois(self, rois: Any) -> None:
        self.health.received_rois()
        self._pair("rois", rois)

    def _pair(self, side: Literal["image", "rois"], message: Any) -> None:
        pair, unmatched = self._pairs.add(side, message)
        self.health.unpaired(unmatched)
        if pair is not None:
            image, rois = pair
            self.offer(BoxesJob(image, Stopwatch(), boxes.rois(rois.detections)))


class Pairs:
    """Frames and boxes matched by stamp, whichever comes first.

    Args:
        size: how many of each may wait; the oldest is dropped when another comes.
    """

    def __init__(self, size: int = 10) -> None:
        self._size = size
        self._waiting: dict[str, dict[tuple[int, int], Any]] = {"image": {}, "rois": {}}

    def add(self, side: Literal["image", "rois"], message: Any) -> tuple[tuple[Any, Any] | None, int]:
        """Add a message.

        Returns:
            The pair (image, rois) that it completed, or None; and how many messages were dropped unmatched.
        """
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        other = self._waiting["rois" if side == "image" else "image"].pop(stamp, None)
        if other is not None:
            return ((message, other) if side == "image" else (other, message)), 0
        waiting = self._waiting[side]
        unmatched = int(waiting.pop(stamp, None) is not None)
        waiting[stamp] = message
        if len(waiting) > self._size:
            del waiting[next(iter(waiting))]
            unmatched += 1
        return None, unmatched


def main() -> int:
    """Entry point of the executable ``signs``."""
    return run(SignsNode)


if __name__ == "__main__":
    sys.exit(main())
