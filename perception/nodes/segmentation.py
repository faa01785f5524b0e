"""The segmentation node: image_raw in, segmentation/mask and segmentation/confidence out.

These topics are what Nav2's semantic_segmentation_layer subscribes to.
"""

from __future__ import annotations

import sys

from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from perception.frames import Frame
from perception.nodes import messages, params
from perception.nodes.camera_node import NEWEST, NEWEST_RELIABLE, RELIABLE, CameraNode, Job
from perception.nodes.process import run
from perception.segmentation import RoadMask, Segmenter


class SegmentationNode(CameraNode):
    """Publishes the class of every pixel."""

    task = "segmentation"
    model_file = "segnet.onnx"
    parameters = (
        *params.COMMON,
        params.Param("mask_size", "frame", "size of mask and confidence", choices=("frame", "model")),
        params.Param("overlay_alpha", 0.5, "0 shows the frame alone, 1 the colours alone", bounds=(0.0, 1.0)),
    )

    def open(self) -> None:
        self._mask = self.output(Image, "segmentation/mask", NEWEST_RELIABLE)
        self._confidence = self.output(Image, "segmentation/confidence", NEWEST)
        self._overlay = self.output(Image, "segmentation/overlay", RELIABLE)

    def answer(self, frame: Frame, rois: Detection2DArray | None) -> RoadMask:
        model: Segmenter = self.model
        return model(frame, size="model" if params.value(self, "mask_size", str) == "model" else "frame")

    def publish(self, result: RoadMask, frame: Frame, job: Job) -> None:
        """Send only what somebody listens to."""
        header = job.image.header
        if self._mask.get_subscription_count():
            self._mask.publish(messages.image(result.class_ids, "mono8", header))
        if self._confidence.get_subscription_count():
            self._confidence.publish(messages.image(result.confidence, "mono8", header))
        if self._overlay.get_subscription_count():
            picture = result.overlay(frame, alpha=params.value(self, "overlay_alpha", float))
            self._overlay.publish(messages.image(picture, "bgr8", header))


def main() -> int:
    """Entry point of the executable ``segmentation``."""
    return run(SegmentationNode)


if __name__ == "__main__":
    sys.exit(main())
