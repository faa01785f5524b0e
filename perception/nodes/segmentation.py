"""The segmentation node: image_raw in, segmentation/mask and segmentation/confidence out.

With ``ground``, camera_info in, too, and what the mask shows in metres out: segmentation/points, ground/….
Nav2's semantic_segmentation_layer subscribes to mask, confidence and points.
"""

from __future__ import annotations

import sys
from typing import cast

from perception.frames import Frame
from perception.ground.topics import RoadOnGround
from perception.model import Result
from perception.nodes import ground, params
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
        *ground.PARAMETERS,
    )

    _ground: ground.NodeGround | None = None

    def configure(self) -> None:
        is_asked = params.value(self, "ground", bool)
        more = ground.outputs(self) if is_asked else []
        super().configure()
        self._results += more
        self._ground = ground.NodeGround(self, self.loaded().spec.labels) if is_asked else None

    def subscribe(self) -> None:
        super().subscribe()
        if self._ground is not None:
            self._ground.subscribe()

    def reset(self) -> None:
        if self._ground is not None:
            self._ground.reset()

    def facts(self) -> dict[str, str]:
        return self._ground.facts() if self._ground is not None else {}

    def free(self) -> None:
        super().free()
        self._ground = None
        self.health.warning = ""

    def answer(self, job: Job, frame: Frame) -> RoadMask:
        segment = cast(Segmenter, self.loaded())
        road = segment(frame, size="model" if params.value(self, "mask_size", str) == "model" else "frame")
        if self._ground is None:
            return road
        known = self._ground.look(road, frame, job.image.header.frame_id, job.time_ns)
        self.health.warning = self._ground.warning
        return RoadOnGround.of(road, known)

    def overlay(self, result: Result, frame: Frame) -> Frame:
        alpha = params.value(self, "overlay_alpha", float)
        return cast(RoadMask, result).overlay(frame, alpha=alpha)


def main() -> int:
    """Entry point of the executable ``segmentation``."""
    return run(SegmentationNode)


if __name__ == "__main__":
    sys.exit(main())
