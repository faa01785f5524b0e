"""Results as messages for a bag: the topics, types and contents that the nodes publish."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

from perception import topics
from perception.model import Result
from perception.recordings.bag import BagWriter, typestore
from perception.recordings.shots import Shot
from perception.spec import ModelSpec

_NEVER = QosTime(0, 0)


def make(kind: str, **fields: Any) -> Any:
    """A message of rosbags by its type's name."""
    if kind == "vision_msgs/msg/ObjectHypothesisWithPose":  # rosbags knows no defaults
        fields.setdefault("pose", _no_pose())
    return typestore().types[kind](**fields)


def header(stamp_ns: int, frame_id: str) -> Any:
    """A std_msgs/Header."""
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    stamp = make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return make("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def stored(qos: topics.Qos) -> list[Qos]:
    """What a publisher offers, as a bag stores it."""
    durability = QosDurability.TRANSIENT_LOCAL if qos.latched else QosDurability.VOLATILE
    reliability = QosReliability.RELIABLE if qos.reliable else QosReliability.BEST_EFFORT
    alive = QosLiveliness.AUTOMATIC
    history = QosHistory.KEEP_LAST
    return [Qos(history, qos.depth, reliability, durability, _NEVER, _NEVER, alive, _NEVER, False)]


@lru_cache(maxsize=1)
def _no_pose() -> Any:
    pose = make(
        "geometry_msgs/msg/Pose",
        position=make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
        orientation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
    )
    return make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36))


class ResultWriter:
    """Writes results into a bag as the nodes would have published them.

    Args:
        bag: an open bag.
    """

    def __init__(self, bag: BagWriter) -> None:
        self._bag = bag

    def label_info(self, spec: ModelSpec, shot: Shot) -> None:
        """Write the names of the class ids; call it once, before the task's first result."""
        info = topics.label_info(make, spec, header(shot.stamp_ns, shot.frame_id))
        name = f"/{topics.label_info_name(spec.task)}"
        self._bag.write(name, info, shot.time_ns, qos=stored(topics.LATCHED))

    def controls(self, shot: Shot) -> None:
        """Write what drove the car, if the shot says so; NaN is what was not recorded."""
        if shot.controls is None:
            return
        nan = float("nan")
        values = (shot.controls.steering, shot.controls.throttle)
        axes = np.array([nan if value is None else value for value in values], np.float32)
        stick = make(
            topics.JOY,
            header=header(shot.stamp_ns, shot.frame_id),
            axes=axes,
            buttons=np.zeros(0, np.int32),
        )
        self._bag.write(f"/{topics.CONTROLS}", stick, shot.time_ns, qos=stored(topics.RELIABLE))

    def write(self, task: str, result: Result, shot: Shot) -> None:
        """Write all result topics of a frame."""
        assert shot.image is not None  # a result needs a picture
        height, width = shot.image.shape[:2]
        origin = topics.Origin(header(shot.stamp_ns, shot.frame_id), (height, width), shot.rois)
        for topic in topics.of_task(task).results:
            for message in topic.messages(make, result, origin):
                self._bag.write(f"/{topic.name}", message, shot.time_ns, qos=stored(topic.qos))
