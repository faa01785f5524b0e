"""Small real bags for tests: frames of one colour, boxes, and what else a topic may carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from perception.recordings.bag import typestore

RECORDED_AFTER_NS = 3_000_000
RAW, COMPRESSED, ROIS = "/cam/image_raw", "/cam/image_raw/compressed", "/cam/rois"


def new(kind: str, *fields: Any) -> Any:
    """A message of a type by name."""
    return typestore().types[kind](*fields)


def header(stamp: int, frame_id: str = "front") -> Any:
    """A header of so many tenths of a second after 100 s."""
    total = 100_000_000_000 + stamp * 100_000_000
    return new(
        "std_msgs/msg/Header", new("builtin_interfaces/msg/Time", total // 10**9, total % 10**9), frame_id
    )


def raw(frame: np.ndarray, stamp: int, **changed: Any) -> Any:
    """A bgr8 Image; fields may be changed to what is wrong."""
    height, width = frame.shape[:2]
    message = new(
        "sensor_msgs/msg/Image", header(stamp), height, width, "bgr8", 0, 3 * width, frame.reshape(-1)
    )
    for name, value in changed.items():
        setattr(message, name, value)
    return message


def compressed(frame: np.ndarray, stamp: int, *, keep: int | None = None) -> Any:
    """A JPEG CompressedImage, cut after ``keep`` bytes."""
    data = cv2.imencode(".jpg", frame)[1].reshape(-1)[:keep]
    return new("sensor_msgs/msg/CompressedImage", header(stamp), "jpeg", data)


def rois(boxes: Iterable[tuple[float, float, float, float, str]], stamp: int) -> Any:
    """A Detection2DArray of (x1, y1, x2, y2, class id; empty for none)."""
    detections = []
    for x1, y1, x2, y2, class_id in boxes:
        point = new("vision_msgs/msg/Point2D", (x1 + x2) / 2, (y1 + y2) / 2)
        box = new(
            "vision_msgs/msg/BoundingBox2D", new("vision_msgs/msg/Pose2D", point, 0.0), x2 - x1, y2 - y1
        )
        results = [_located(class_id)] if class_id else []
        detections.append(new("vision_msgs/msg/Detection2D", header(stamp), results, box, ""))
    return new("vision_msgs/msg/Detection2DArray", header(stamp), detections)


def text(content: str) -> Any:
    """A std_msgs/String."""
    return new("std_msgs/msg/String", content)


def write_bag(
    path: Path,
    messages: Sequence[tuple[str, Any]],
    *,
    storage: StoragePlugin = StoragePlugin.MCAP,
    every_ns: int = 100_000_000,
) -> Path:
    """Write a rosbag2, one message each tenth of a second by topic, recorded a little after its stamp."""
    with Writer(path, version=8, storage_plugin=storage) as bag:
        connections: dict[str, Any] = {}
        counts: dict[str, int] = {}
        for topic, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = bag.add_connection(topic, kind, typestore=typestore())
            time_ns = 100_000_000_000 + counts.get(topic, 0) * every_ns + RECORDED_AFTER_NS
            counts[topic] = counts.get(topic, 0) + 1
            bag.write(connections[topic], time_ns, typestore().serialize_cdr(message, kind))
    return path


def _located(class_id: str) -> Any:
    pose = new(
        "geometry_msgs/msg/Pose",
        new("geometry_msgs/msg/Point", 0.0, 0.0, 0.0),
        new("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0),
    )
    hypothesis = new("vision_msgs/msg/ObjectHypothesis", class_id, 1.0)
    located = new("geometry_msgs/msg/PoseWithCovariance", pose, np.zeros(36))
    return new("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis, located)


def damage(bag: Path, *, cut: bool = False) -> None:
    """Overwrite half a megabyte from two thirds of a bag's file on, or cut the file off there."""
    (file,) = bag.glob("*.mcap")
    data = bytearray(file.read_bytes())
    middle = len(data) * 2 // 3
    if cut:
        del data[middle:]
    else:
        data[middle : middle + 500_000] = b"\xff" * 500_000
    file.write_bytes(data)
