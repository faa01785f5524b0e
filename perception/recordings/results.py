"""Results as messages for a bag: the topics, types and contents that the nodes publish."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from perception.boxes import Roi
from perception.recordings.bag import BagWriter, typestore
from perception.recordings.sources import Shot
from perception.segmentation import RoadMask
from perception.signs import Sign, Signs
from perception.spec import ModelSpec

_NEVER = QosTime(0, 0)


def qos(*, depth: int = 10, latched: bool = False, best_effort: bool = False) -> list[Qos]:
    """What a publisher offers, as a bag stores it.

    Args:
        depth: messages kept for a slow subscriber.
        latched: the last message reaches those who subscribe later.
        best_effort: lost messages are not sent again.
    """
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    reliability = QosReliability.BEST_EFFORT if best_effort else QosReliability.RELIABLE
    alive = QosLiveliness.AUTOMATIC
    return [Qos(QosHistory.KEEP_LAST, depth, reliability, durability, _NEVER, _NEVER, alive, _NEVER, False)]


class ResultWriter:
    """Writes results into a bag as the nodes would have published them.

    Args:
        bag: an open bag.
    """

    def __init__(self, bag: BagWriter) -> None:
        self._bag = bag

    def label_info(self, spec: ModelSpec, shot: Shot) -> None:
        """Once, before the task's first result: the names behind the class ids."""
        names = [_new("vision_msgs/msg/VisionClass", index, label) for index, label in enumerate(spec.labels)]
        info = _new("vision_msgs/msg/LabelInfo", _header(shot), names, spec.threshold)
        self._bag.write(f"/{spec.task}/label_info", info, shot.time_ns, qos=qos(depth=1, latched=True))

    def signs(self, signs: Signs, shot: Shot) -> None:
        """A frame's classification and detections; a box without results shows no known sign."""
        header = _header(shot)
        known = sorted((sign for sign in signs if sign), key=lambda sign: sign.score, reverse=True)
        hypotheses = [_hypothesis(sign) for sign in known]
        classification = _new("vision_msgs/msg/Classification", header, hypotheses)
        self._bag.write("/signs/classification", classification, shot.time_ns, qos=qos())
        assert shot.image is not None  # a result needs a picture
        height, width = shot.image.shape[:2]
        whole = Roi(width / 2, height / 2, float(width), float(height), 0.0, "")
        regions = [whole] if shot.rois is None else shot.rois
        found = [
            _new("vision_msgs/msg/Detection2D", header, [_located(sign)] if sign else [], _box(roi), roi.id)
            for sign, roi in zip(signs, regions, strict=True)
        ]
        detections = _new("vision_msgs/msg/Detection2DArray", header, found)
        self._bag.write("/signs/detections", detections, shot.time_ns, qos=qos())

    def road(self, road: RoadMask, shot: Shot) -> None:
        """A frame's mask and confidence, mono8."""
        self._image("/segmentation/mask", road.class_ids, shot)
        self._image("/segmentation/confidence", road.confidence, shot, best_effort=True)

    def _image(self, topic: str, pixels: NDArray[np.uint8], shot: Shot, *, best_effort: bool = False) -> None:
        height, width = pixels.shape
        data = np.ascontiguousarray(pixels).reshape(-1)
        image = _new("sensor_msgs/msg/Image", _header(shot), height, width, "mono8", 0, width, data)
        self._bag.write(topic, image, shot.time_ns, qos=qos(depth=1, best_effort=best_effort))


def _new(kind: str, *fields: Any) -> Any:
    return typestore().types[kind](*fields)


def _header(shot: Shot) -> Any:
    stamp = _new("builtin_interfaces/msg/Time", shot.stamp_ns // 1_000_000_000, shot.stamp_ns % 1_000_000_000)
    return _new("std_msgs/msg/Header", stamp, shot.frame_id)


def _hypothesis(sign: Sign) -> Any:
    return _new("vision_msgs/msg/ObjectHypothesis", str(sign.class_id), float(sign.score))


def _located(sign: Sign) -> Any:
    # The pose is in metres in other nodes' messages; a picture has none, so it stays zero.
    point = _new("geometry_msgs/msg/Point", 0.0, 0.0, 0.0)
    pose = _new("geometry_msgs/msg/Pose", point, _new("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0))
    covariant = _new("geometry_msgs/msg/PoseWithCovariance", pose, np.zeros(36))
    return _new("vision_msgs/msg/ObjectHypothesisWithPose", _hypothesis(sign), covariant)


def _box(roi: Roi) -> Any:
    center = _new("vision_msgs/msg/Pose2D", _new("vision_msgs/msg/Point2D", roi.x, roi.y), roi.theta)
    return _new("vision_msgs/msg/BoundingBox2D", center, roi.width, roi.height)
