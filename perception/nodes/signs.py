"""The signs node: image_raw (and boxes on rois) in, signs/classification and signs/detections out."""

from __future__ import annotations

import sys
from typing import Any, Literal

from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Classification, Detection2DArray

from perception import boxes
from perception.frames import Frame
from perception.nodes import messages, params
from perception.nodes.camera_node import RELIABLE, CameraNode, Job
from perception.nodes.process import run
from perception.signs import SignClassifier, Signs

ROIS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class SignsNode(CameraNode):
    """Publishes which signs a frame shows: taken as a whole, or in the boxes that come with it."""

    task = "signs"
    model_file = "signs.onnx"
    parameters = (
        *params.COMMON,
        params.Param(
            "use_rois", False, "classify the boxes on rois instead of the whole frame", read_only=True
        ),
    )

    def open(self) -> None:
        self._classification = self.output(Classification, "signs/classification", RELIABLE)
        self._detections = self.output(Detection2DArray, "signs/detections", RELIABLE)
        self._overlay = self.output(Image, "signs/overlay", RELIABLE)

    def subscribe(self) -> None:
        super().subscribe()
        self._use_rois = params.value(self, "use_rois", bool)
        if self._use_rois:
            self._pairs = Pairs()
            self.input(Detection2DArray, "rois", lambda rois: self._pair("rois", rois), ROIS)

    def on_image(self, image: Image | CompressedImage) -> None:
        """A frame waits for its boxes where boxes are used."""
        if self._use_rois:
            self._pair("image", image)
        else:
            self.offer(image)

    def answer(self, frame: Frame, rois: Detection2DArray | None) -> Signs:
        model: SignClassifier = self.model
        if rois is None:
            return model.classify([frame])
        boxes.require_few(rois.detections)
        return model.classify_boxes(frame, boxes.corners(boxes.rois(rois.detections)))

    def publish(self, result: Signs, frame: Frame, job: Job) -> None:
        """Send the results, empty ones too: that a frame shows no known sign is news."""
        header = job.image.header
        regions = [messages.whole(frame)] if job.rois is None else job.rois.detections
        self._classification.publish(messages.classification(result, header))
        self._detections.publish(messages.detections(result, regions, header))
        if self._overlay.get_subscription_count():
            self._overlay.publish(messages.image(result.overlay(frame), "bgr8", header))

    def _pair(self, side: Literal["image", "rois"], message: Any) -> None:
        pair, given_up = self._pairs.add(side, message)
        self.health.unpaired(given_up)
        if pair is not None:
            self.offer(*pair)


class Pairs:
    """Frames and boxes matched by stamp, whichever comes first.

    Args:
        size: how many of each may wait; the oldest is given up for one more.
    """

    def __init__(self, size: int = 10) -> None:
        self._size = size
        self._waiting: dict[str, dict[tuple[int, int], Any]] = {"image": {}, "rois": {}}

    def add(self, side: Literal["image", "rois"], message: Any) -> tuple[tuple[Any, Any] | None, int]:
        """Take in a message.

        Returns:
            The pair (image, rois) that it completed, or None; and how many messages were given up.
        """
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        other = self._waiting["rois" if side == "image" else "image"].pop(stamp, None)
        if other is not None:
            return ((message, other) if side == "image" else (other, message)), 0
        waiting = self._waiting[side]
        given_up = int(waiting.pop(stamp, None) is not None)
        waiting[stamp] = message
        if len(waiting) > self._size:
            del waiting[next(iter(waiting))]
            given_up += 1
        return None, given_up


def main() -> int:
    """Entry point of the executable ``signs``."""
    return run(SignsNode)


if __name__ == "__main__":
    sys.exit(main())
