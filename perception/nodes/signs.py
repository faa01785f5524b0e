"""The signs node: image_raw in, the signs in it out, on signs/detections, signs/classification, signs/events.

frame ─► detector ─► boxes ─► classifier ─► tracker ─► topics
            rois ──────┘
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, cast

from perception import boxes, topics
from perception.frames import Frame
from perception.model import Result
from perception.nodes import diagnostics, inputs, params
from perception.nodes.camera_node import CameraNode
from perception.nodes.cameras import Picture
from perception.nodes.job import Job
from perception.nodes.process import run
from perception.reader import BOXES_FROM, BoxesFrom, SignFollower, SignReader
from perception.topics import Origin
from perception.tracking import Track, Tracks


@dataclass(frozen=True)
class BoxesJob(Job):
    """A frame with the boxes that came for it.

    Attributes:
        rois: the boxes; None if no boxes come to this node.
    """

    rois: tuple[boxes.Roi, ...] | None = None


class SignsNode(CameraNode):
    """Finds the signs in each frame, reads them, and follows them from frame to frame."""

    task = "signs"
    parameters = (
        *params.COMMON,
        params.Param(
            "boxes",
            "detector",
            "where the boxes of signs come from: a detector, the topic rois; or each frame is one sign",
            until_configured=True,
            choices=BOXES_FROM,
        ),
        params.Param(
            "detector",
            "",
            "the detector's file (.onnx), or a folder with sign_detector.onnx; empty: the shipped one",
            until_configured=True,
        ),
    )
    gone: ClassVar = {"use_rois": "set boxes to rois (where it was true) or to frame (where it was false)"}

    _follower: SignFollower | None = None
    _current: tuple[Track, ...] = ()  # confirmed after the last frame
    _ended: tuple[Track, ...] = ()  # confirmed before a new beginning; the next frame says that they left
    _in_view = 0

    def configure(self) -> None:
        super().configure()
        self._boxes_from = cast(BoxesFrom, params.value(self, "boxes", str))
        model: Any = self.loaded()
        if self._boxes_from == "detector":
            model = self.model = SignReader(self.open_model("detector", "sign_detection"), model)
        self._follower = SignFollower.of(model, self._boxes_from)

    def reset(self) -> None:
        assert self._follower is not None  # the node is configured
        self._follower.reset()
        self._ended += self._current
        self._current = ()
        self._in_view = 0

    def subscribe(self) -> None:
        self._pairs = Pairs()  # first, because a frame may come in the thread of another node at once
        super().subscribe()
        if self._boxes_from == "rois":
            self._rois = self.input(topics.DETECTIONS, topics.ROIS, self._on_rois, topics.BEST_EFFORT)

    def on_frame(self, picture: Picture) -> None:
        """Take a frame at once, or if boxes come from elsewhere, together with its boxes."""
        if self._boxes_from == "rois":
            self._pair("image", picture)
        else:
            self.offer(BoxesJob(picture))

    def rois_gap(self) -> str:
        """Where boxes come from, and where they are published instead if none came."""
        if not self._inputs or self._boxes_from != "rois":
            return ""
        others = [] if self.health.rois_in else inputs.boxes_elsewhere(self, self._rois, self._outputs)
        return diagnostics.rois_gap(self, self._rois, others)

    def facts(self) -> dict[str, str]:
        is_following = self._follower is not None and self._boxes_from != "frame"
        return {"tracks": str(self._in_view)} if is_following else {}

    def answer(self, job: Job, frame: Frame) -> Result:
        assert self._follower is not None  # the node is configured
        rois = _rois_of(job)
        result = self._follower.follow(frame, None if rois is None else boxes.corners(rois), job.time_ns)
        if isinstance(result, Tracks):
            result = replace(result, left=(*self._ended, *result.left))
            self._ended, self._current, self._in_view = (), result.current, len(result)
        return result

    def origin(self, job: Job, frame: Frame) -> Origin:
        height, width = frame.shape[:2]
        return Origin(job.image.header, (height, width), _rois_of(job))

    def free(self) -> None:
        super().free()
        self._follower = None
        self._ended = self._current = ()

    def _on_rois(self, rois: Any) -> None:
        self.health.received_rois()
        self._pair("rois", rois)

    def _pair(self, side: Literal["image", "rois"], message: Any) -> None:
        pair, unmatched = self._pairs.add(side, message)
        self.health.unpaired(unmatched)
        if pair is not None:
            picture, rois = pair
            self.offer(BoxesJob(picture, rois=boxes.rois(rois.detections)))


def _rois_of(job: Job) -> tuple[boxes.Roi, ...] | None:
    assert isinstance(job, BoxesJob)  # this node offers no other jobs
    return job.rois


class Pairs:
    """Frames and boxes matched by stamp, whichever comes first.

    Args:
        size: how many of each may wait; the oldest is dropped when another comes.
    """

    def __init__(self, size: int = 10) -> None:
        self._size = size
        self._lock = threading.Lock()  # frames and boxes may come in two threads
        self._waiting: dict[str, dict[tuple[int, int], Any]] = {"image": {}, "rois": {}}

    def add(self, side: Literal["image", "rois"], message: Any) -> tuple[tuple[Any, Any] | None, int]:
        """Add a message.

        Returns:
            The pair (image, rois) that it completed, or None; and how many messages were dropped unmatched.
        """
        stamp = (message.header.stamp.sec, message.header.stamp.nanosec)
        with self._lock:
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
