"""The vision_msgs that nodes use looks like the released one on the network."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import Pose, PoseWithCovariance
from std_msgs.msg import Header
from vision_msgs.msg import (
    BoundingBox2D,
    Classification,
    Detection2D,
    Detection2DArray,
    LabelInfo,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
    VisionClass,
)

from tests.ros import Peer, end

RELEASED = {  # RIHS01 hashes of release 4.1
    "Classification": "f74db28d0eaef3afb78f48bf2161cd709a1383a0309d3454383b25be11345143",
    "Detection2DArray": "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "LabelInfo": "3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
}

ECHO = """
import rclpy
from rclpy.qos import qos_profile_sensor_data
from vision_msgs.msg import Classification, Detection2DArray, LabelInfo

rclpy.init()
node = rclpy.create_node("echo")
for kind in (Classification, Detection2DArray, LabelInfo):
    back = node.create_publisher(kind, f"back/{kind.__name__}", 1)
    node.create_subscription(kind, f"there/{kind.__name__}", back.publish, qos_profile_sensor_data)
rclpy.spin(node)
"""


@pytest.fixture
def echo() -> Iterator[None]:
    """A process that sends back what it gets."""
    process = subprocess.Popen([sys.executable, "-c", ECHO])
    yield
    end(process, signal.SIGTERM)


def header(stamp: int) -> Header:
    message = Header(frame_id="front")
    message.stamp.sec = stamp
    return message


def classification() -> Classification:
    results = [ObjectHypothesis(class_id="14", score=0.998), ObjectHypothesis(class_id="17", score=0.001)]
    return Classification(header=header(1), results=results)


def detections() -> Detection2DArray:
    box = BoundingBox2D(size_x=40.0, size_y=41.5)
    box.center.position.x = 320.5
    box.center.theta = 0.25
    pose = PoseWithCovariance(pose=Pose(), covariance=[float(i) for i in range(36)])
    stop = ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id="14", score=0.9), pose=pose)
    detections = [Detection2D(header=header(2), results=[stop], bbox=box, id="größer"), Detection2D()]
    return Detection2DArray(header=header(2), detections=detections)


def label_info() -> LabelInfo:
    labels = [VisionClass(class_id=0, class_name="Sky"), VisionClass(class_id=65535, class_name="")]
    return LabelInfo(header=header(3), class_map=labels, threshold=0.5)


@pytest.mark.parametrize("name", RELEASED)
def test_the_type_hash_is_the_released_one(name: str):
    path = Path(get_package_share_directory("vision_msgs"), "msg", f"{name}.json")
    hashes = {
        entry["type_name"]: entry["hash_string"] for entry in json.loads(path.read_text())["type_hashes"]
    }
    assert hashes[f"vision_msgs/msg/{name}"] == f"RIHS01_{RELEASED[name]}"


@pytest.mark.parametrize(
    "message", [classification(), detections(), label_info()], ids=lambda m: type(m).__name__
)
def test_a_message_goes_to_another_process_and_back(peer: Peer, echo: None, message):
    kind = type(message)
    returned = peer.collect(kind, f"back/{kind.__name__}", 1)
    peer.matched(1)

    peer.sender(kind, f"there/{kind.__name__}")(message)

    assert peer.until(lambda: returned, f"the {kind.__name__} to come back") == [message]
