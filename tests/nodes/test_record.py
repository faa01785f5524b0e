"""Recording over real DDS: the recorder is a process, the cameras are in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosReliability
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from perception.nodes.record import _Gaps
from perception.recordings.bag import BagReader
from perception.recordings.sources import open_source
from tests.ros import BLUE, RED, ROOT, Peer, image, jpeg, solid, stamped

RAW, COMPRESSED, INFO = "/cam/image_raw", "/cam/image_raw/compressed", "/cam/camera_info"
RELIABLE, BEST_EFFORT = (
    QoSProfile(depth=50, reliability=policy)
    for policy in (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT)
)


class Recorder:
    """``perception record`` in a process of its own."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "perception", "record", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"COLUMNS": "120"},
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@pytest.fixture
def record() -> Iterator[Callable[..., Recorder]]:
    started: list[Recorder] = []

    def record(*arguments: object) -> Recorder:
        started.append(Recorder(*arguments))
        return started[-1]

    yield record
    for recorder in started:
        if recorder.process.poll() is None:
            recorder.process.kill()
            recorder.process.wait()


def row(output: str, topic: str) -> list[str]:
    """The cells of a topic in the table: messages, Hz, MB, dropped, lost, unreadable."""
    (line,) = (line for line in output.splitlines() if line.startswith(f"│ {topic} "))
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def messages(path: Path, topic: str) -> list[Any]:
    with BagReader(path) as bag:
        return [message for _, _, message in bag.messages([topic])]


def test_all_that_cameras_publish_is_in_a_file_that_run_reads(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder]
) -> None:
    path = tmp_path / "drive.mcap"
    others = [
        peer.node.create_publisher(String, "/chatter", RELIABLE),
        peer.node.create_publisher(Image, "/front/segmentation/mask", RELIABLE),
    ]
    recorder = record(path)
    raw = peer.sender(Image, RAW, RELIABLE)
    compressed = peer.sender(CompressedImage, COMPRESSED, BEST_EFFORT)
    info = peer.sender(CameraInfo, INFO, RELIABLE)
    for stamp in range(10):
        raw(image(solid(RED), stamp))
        compressed(jpeg(solid(BLUE), stamp))
        info(stamped(CameraInfo(width=60, height=40), stamp))
        peer.spin(0.05)
    assert [publisher.get_subscription_count() for publisher in others] == [0, 0]
    peer.spin(0.5)
    assert [file.name for file in tmp_path.iterdir()] == ["drive.part"]
    code, output = recorder.stop()
    assert code == 0, output
    assert [file.name for file in tmp_path.iterdir()] == ["drive.mcap"]
    for topic in (RAW, COMPRESSED, INFO):
        count, _, _, dropped, lost, unreadable = row(output, topic)
        assert (count, dropped, lost, unreadable) == ("10", "0", "0", "0"), output
    assert f"{path}: " in output and "ended because it was stopped" in output
    with BagReader(path) as bag:
        assert set(bag.topics) == {RAW, COMPRESSED, INFO}
        assert [qos.reliability for qos in bag.offered_qos(RAW)] == [QosReliability.RELIABLE]
        assert [qos.reliability for qos in bag.offered_qos(COMPRESSED)] == [QosReliability.BEST_EFFORT]
        times = [time_ns for _, time_ns, _ in bag.raw([RAW])]
    assert 0.3e9 < times[-1] - times[0] < 5e9
    shots = list(open_source(path, topic=RAW).shots())
    assert [shot.stamp_ns for shot in shots] == [stamp * 10**9 + 5 for stamp in range(10)]
    assert all(shot.frame_id == "front" and np.array_equal(shot.image, solid(RED)) for shot in shots)
    assert messages(path, INFO)[3].width == 60


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (("--seconds", 1), "the time of --seconds is over"),
        (("--megabytes", 1), "the size of --megabytes is reached"),
    ],
)
def test_a_limit_ends_the_recording(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder], limit: tuple[str, int], reason: str
) -> None:
    path = tmp_path / "drive.mcap"
    recorder = record(path, "--topics", RAW.lstrip("/"), *limit)
    raw = peer.sender(Image, RAW, RELIABLE)
    frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)

    def ended() -> bool:
        raw(image(frame, 1))
        return recorder.process.poll() is not None

    peer.until(ended, "the limit")
    code, output = recorder.ended()
    assert code == 0 and reason in output, output
    assert row(output, RAW)[0] == str(len(messages(path, RAW)))
    assert path.stat().st_size < 2.5e6 or limit[0] == "--seconds"


def test_messages_that_cannot_be_read_are_counted_and_left_out(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder]
) -> None:
    path = tmp_path / "drive.mcap"
    peer.node.create_publisher(CompressedImage, COMPRESSED, RELIABLE)  # it is there before the recorder is
    recorder = record(path, "--topics", COMPRESSED, "/chatter", "nothing", "--wait", "6")
    compressed = peer.sender(CompressedImage, COMPRESSED, RELIABLE)
    words = peer.sender(String, "/chatter", RELIABLE)
    for data in (jpeg(solid(RED), 1), b"\x00\x01\x00\x00junk", jpeg(solid(RED), 2)):
        compressed(data)
    words(String(data="left"))
    peer.spin(6.5)
    code, output = recorder.stop(signal.SIGTERM)
    assert code == 0, output
    assert output.count("not there so far: /nothing") == 1
    assert row(output, COMPRESSED)[0::5] == ["2", "1"], output
    assert [message.header.stamp.sec for message in messages(path, COMPRESSED)] == [1, 2]
    assert [message.data for message in messages(path, "/chatter")] == ["left"]


def test_what_a_held_up_recorder_loses_is_counted(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder]
) -> None:
    path = tmp_path / "drive.mcap"
    recorder = record(path)
    raw = peer.sender(Image, RAW, RELIABLE)
    sent = 0

    def send(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            raw(image(solid(RED), sent))
            sent += 1
            peer.spin(0.01)

    send(3)
    peer.spin(1.0)
    recorder.process.send_signal(signal.SIGSTOP)
    send(90)
    recorder.process.send_signal(signal.SIGCONT)
    peer.spin(1.0)
    send(3)
    peer.spin(1.0)
    code, output = recorder.stop()
    assert code == 0, output
    count, _, _, dropped, lost, _ = row(output, RAW)
    assert int(lost) >= 90 - 50 and dropped == "0", output
    assert int(count) + int(lost) == sent
    assert len(messages(path, RAW)) == int(count)


def test_without_a_camera_it_says_what_is_there_and_leaves_no_file(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder]
) -> None:
    peer.node.create_publisher(String, "/chatter", RELIABLE)
    peer.node.create_publisher(CameraInfo, INFO, RELIABLE)
    recorder = record(tmp_path / "drive.mcap", "--wait", "4")
    peer.until(lambda: recorder.process.poll() is not None, "the end")
    code, output = recorder.ended()
    assert code == 1
    assert "no image topic after 4 s (--wait); there are: " in output
    assert f"{INFO} (sensor_msgs/msg/CameraInfo)" in output and "/chatter (std_msgs/msg/String)" in output
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_sends_nothing_leaves_no_file(
    tmp_path: Path, peer: Peer, record: Callable[..., Recorder]
) -> None:
    recorder = record(tmp_path / "drive.mcap")
    peer.sender(Image, RAW, RELIABLE)
    code, output = recorder.stop()
    assert code == 1
    assert f"not written, because no message came on {RAW} that can be read" in output
    assert list(tmp_path.iterdir()) == []


def test_what_is_lost_on_the_way_is_counted_by_the_numbers_of_one_publisher() -> None:
    gaps = _Gaps()
    for number in (7, 8, 11, 12, 1, 2, 4):  # from 1 on, the camera was started anew
        gaps.add(number, 1)
    assert gaps.lost == 3
    gaps.add(3, 2)  # two cameras on one topic
    gaps.add(9, 1)
    assert gaps.lost is None
    silent = _Gaps()
    silent.add(None, 1)
    assert silent.lost is None
