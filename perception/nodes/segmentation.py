"""The segmentation node: image_raw in, segmentation/mask and segmentation/confidence out.

Nav2's semantic_segmentation_layer subscribes to these topics. It also needs a point cloud, which this node
does not publish.
"""

from __future__ import annotations

import sys
from typing import cast

from perception.frames import Frame
from perception.model import Result
from perception.nodes import params
from perception.nodes.camera_node import CameraNode
from perception.nodes.job import Job
from perception.nodes.process import run
from perception.segmentation import RoadMask, Segmenter


class SegmentationNode(CameraNode):
    """Publishes the class of every pixel."""

    task = "segmentation"
    parameters = (
        *params.COMMON,
        params.Param("mask_size", "frame", "size of mask and confidence", choices=("frame", "model")),
        params.Param("overlay_alpha", 0.5, "0 shows the frame alone, 1 the colours alone", bounds=(0.0, 1.0)),
    )

    def answer(self, job: Job, frame: Frame) -> RoadMask:
        segment = cast(Segmenter, self.loaded())
        return segment(frame, size="model" if params.value(self, "mask_size", str) == "model" else "frame")

    def overlay(self, result: Result, frame: Frame) -> Frame:
        alpha = params.value(self, "overlay_alpha", float)
        return cast(RoadMask, result).overlay(frame, alpha=alpha)


def main() -> int:
    """Entry point of the executable ``segmentation``."""
    return run(SegmentationNode)


if __name__ == "__main__":
    sys.exit(main())
