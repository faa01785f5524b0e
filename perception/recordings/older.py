"""Older messages: boxes of distributions before Humble, in bags that hold no definitions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_TAILS = {  # what follows the box; what is before it has the same bytes in all versions
    "vision_msgs 3 (Galactic)": "",
    "vision_msgs 2 (Foxy)": "sensor_msgs/Image source_img\nbool is_tracking\nstring tracking_id\n",
    "vision_msgs 1 (Dashing, Eloquent)": "sensor_msgs/Image source_img\n",
}
_MESSAGES = {
    "ObjectHypothesis": "string class_id\nfloat64 score\n",
    "ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n"
    ),
    "BoundingBox2D": "geometry_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n",
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections\n",
}
_DETECTION = (
    "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\nvision_msgs/BoundingBox2D bbox\n"
)


def older_message(data: bytes, kind: str) -> tuple[Any, str] | None:
    """A message of boxes in the first older layout that it fits, and that layout's name; None without one."""
    if kind != "vision_msgs/msg/Detection2DArray":
        return None
    for name, tail in _TAILS.items():
        try:
            return _store(tail).deserialize_cdr(data, kind), name
        except Exception:  # any bytes may be in place of a message
            continue
    return None


@lru_cache(maxsize=len(_TAILS))
def _store(tail: str) -> Typestore:
    store = get_typestore(Stores.ROS2_GALACTIC)
    types: dict[str, Any] = {}
    for name, text in {**_MESSAGES, "Detection2D": _DETECTION + tail}.items():
        types.update(get_types_from_msg(text, f"vision_msgs/msg/{name}"))
    store.register(types)
    return store
