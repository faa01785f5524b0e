"""The doctor over real DDS: it is a process of its own, and the cameras are in this one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from tests.ros import BLUE, RED, ROOT, Peer, image, jpeg, solid

RELIABLE, BEST_EFFORT = (
    QoSProfile(depth=5, reliability=policy)
    for policy in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
)


DOCTOR = """
import json, sys
from perception.doctor import topics
from perception.nodes.topics_seen import look
print(json.dumps([finding.to_json() for finding in topics.findings(*look(float(sys.argv[1])))]))
"""


@pytest.fixture
def doctor() -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def doctor(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", DOCTOR, str(seconds)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield doctor
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def at(seconds: float) -> Time:
    """A time of this machine's clock, so many seconds from now."""
    nanoseconds = time.time_ns() + round(seconds * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def up() -> Time:
    """The time since this machine started."""
    nanoseconds = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def test_what_each_camera_does_is_seen(peer: Peer, doctor: Callable[[float], subprocess.Popen[str]]) -> None:
    stamps: dict[str, Callable[[], Time]] = {
        "/good": lambda: at(0),
        "/zero": Time,
        "/still": lambda: Time(sec=7),
        "/late": lambda: at(-0.5),
        "/ahead": lambda: at(3),
        "/bag": lambda: at(-86400),
        "/boot": up,
    }
    raw = {name: peer.node.create_publisher(Image, f"{name}/image_raw", RELIABLE) for name in stamps}
    compressed = peer.node.create_publisher(CompressedImage, "/jpeg/image_raw/compressed", BEST_EFFORT)
    deep = peer.node.create_publisher(Image, "/deep/image_raw", RELIABLE)
    twins = [peer.node.create_publisher(Image, "/twin/image_raw", RELIABLE) for _ in range(2)]
    silent = peer.node.create_publisher(Image, "/silent/image_raw", RELIABLE)
    own = peer.node.create_publisher(Image, "/car/segmentation/mask", RELIABLE)
    process = doctor(5)

    def publish() -> None:
        for name, publisher in raw.items():
            publisher.publish(stamped(image(solid(RED)), stamps[name]()))
        compressed.publish(stamped(jpeg(solid(BLUE))))
        deep.publish(stamped(image(solid(RED), encoding="mono16")))
        for twin in twins:
            twin.publish(stamped(image(solid(RED))))

    found = {finding["name"]: finding for finding in said_by(process, peer, publish)}
    assert own.get_subscription_count() == silent.get_subscription_count() == 0
    levels = {name: finding["level"] for name, finding in found.items()}
    assert levels["/good/image_raw QoS"] == levels["/good/image_raw frame"] == "ok", found
    good = found["/good/image_raw frame"]
    assert good["found"].startswith("60×40 bgr8") and good["values"]["width"] == 60
    assert 0 < found["/good/image_raw rate"]["values"]["rate_hz"] < 25
    assert levels["/good/image_raw stamps"] != "error", found["/good/image_raw stamps"]
    assert -0.05 < found["/good/image_raw stamps"]["values"]["age_s"] < 5
    assert "peer offers best effort" in found["/jpeg/image_raw/compressed QoS"]["found"]
    assert found["/jpeg/image_raw/compressed frame"]["found"].startswith("60×40 jpeg")
    said = {name: found[f"{name}/image_raw stamps"] for name in stamps}
    for name, level, part in (
        ("/zero", "warning", "0 in every frame"),
        ("/still", "error", "the same in every frame"),
        ("/late", "warning", "ms old"),
        ("/ahead", "error", "ms in the future"),
        ("/bag", "error", "1.0 days old"),
        ("/boot", "error", "from this machine's start"),
    ):
        assert said[name]["level"] == level and part in said[name]["found"], said[name]
    assert "'mono16' is not unsigned 8 bit" in found["/deep/image_raw frame"]["found"]
    assert levels["/twin/image_raw publishers"] == "warning"
    assert levels["/silent/image_raw rate"] == "error"
    assert not any("segmentation" in name for name in levels)


def test_without_a_camera_it_says_what_is_there(
    peer: Peer, doctor: Callable[[float], subprocess.Popen[str]]
) -> None:
    peer.node.create_publisher(String, "/chatter", RELIABLE)
    for seconds in (2, 15):  # a busy machine discovers topics late
        (finding,) = said_by(doctor(seconds), peer)
        assert finding["level"] == "error"
        assert "no camera publishes images" in finding["found"]
        if "/chatter (std_msgs/msg/String)" in finding["found"]:
            return
    raise AssertionError(finding)


def said_by(
    process: subprocess.Popen[str], peer: Peer, publish: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """What the doctor found, while the cameras publish."""
    end = time.monotonic() + 300.0
    while process.poll() is None:
        assert time.monotonic() < end
        publish()
        peer.spin(0.05)
    output, _ = process.communicate()
    found: list[dict[str, Any]] = json.loads(output)
    return found


def stamped(message: Any, stamp: Time | None = None) -> Any:
    message.header.stamp = stamp or at(0)
    return message
