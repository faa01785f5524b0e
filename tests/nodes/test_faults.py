"""Faults of a car, done to nodes in processes of their own: they go on, or end at once and in order."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from onnx import TensorProto, helper, numpy_helper
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification, Detection2DArray

from perception import ModelSpec
from tests.conftest import COLORS, PALETTE, SIGNS, write_model
from tests.ros import BLUE, GREEN, RED, ROOT, image, pixels, solid, values

# A camera as a process: its frames have one colour, and their stamps count from a number on.
CAMERA = """
import sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("camera")
reliable = ReliabilityPolicy.RELIABLE if sys.argv[1] == "reliable" else ReliabilityPolicy.BEST_EFFORT
publisher = node.create_publisher(Image, "image_raw", QoSProfile(depth=1, reliability=reliable))
message = Image(height=40, width=60, step=180, encoding="bgr8", data=bytes((0, 0, 255)) * 2400)
for message.header.stamp.sec in range(int(sys.argv[2]), 2**31):
    publisher.publish(message)
    time.sleep(0.05)
"""
SHARED = "/dev/shm"
END_S = 2.0  # whoever stops the car waits no longer


class Camera:
    """A camera in a process of its own, which ends without a word."""

    def __init__(self, reliability: str, first_stamp: int) -> None:
        self._others = set(os.listdir(SHARED))
        command = [sys.executable, "-c", CAMERA, reliability, str(first_stamp)]
        self._process = subprocess.Popen(command, cwd=ROOT)

    def kill(self) -> None:
        """Kill it, and remove the shared memory that it leaves behind."""
        if self._process.poll() is None:
            maps = Path(f"/proc/{self._process.pid}/maps").read_text().split()
            self._process.kill()
            self._process.wait()
            names = {word.removeprefix(f"{SHARED}/") for word in maps if word.startswith(SHARED)}
            for name in names - self._others:
                Path(SHARED, name).unlink(missing_ok=True)


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    """Starts cameras, and kills those that are left."""
    started: list[Camera] = []

    def start(reliability: str, first_stamp: int) -> Camera:
        started.append(Camera(reliability, first_stamp))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_a_camera_that_comes_late_and_one_that_follows_a_killed_one_are_answered(
    peer, start, camera, signs_model
):
    process = start("signs", "boxes:=frame", f"model:={signs_model}", "stale_after:=0.5")
    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)
    answers = peer.collect(Classification, "signs/classification")

    for first_stamp, reliability in ((1, "reliable"), (100_000, "best_effort"), (200_000, "reliable")):
        arrays.clear()
        missing = peer.health("signs", lambda status: status.level == status.STALE, arrays)
        assert "no frames for" in missing.message and "on /image_raw; " in missing.message
        alive = camera(reliability, first_stamp)
        peer.until(
            lambda first=first_stamp: answers and answers[-1].header.stamp.sec >= first,
            f"answers to the {reliability} camera",
        )
        arrays.clear()
        peer.health(
            "signs", lambda status: status.level == status.OK and "frames/s" in status.message, arrays
        )
        alive.kill()

    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def test_time_that_jumps_back_and_forth_costs_no_frame(peer, start, signs_model, detector_model):
    process = start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    answers = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")
    frame = solid((128, 128, 128), 64, 96)
    frame[20:50, 20:50] = RED
    stamps = [1000, 1001, 90_000, 90_001, 1002, 0, 0, 2**31 - 1, 5, -5, -(2**31), 2**31 - 1, 1003, 1003]

    for count, stamp in enumerate(stamps, start=1):
        send(image(frame, stamp=stamp))
        peer.until(lambda count=count: len(answers) == count, f"the answer to frame {count}")

    assert [answer.header.stamp.sec for answer in answers] == stamps
    assert all(answer.detections[0].results[0].hypothesis.class_id == "2" for answer in answers)
    status = peer.health("signs", lambda status: values(status)["processed"] == str(len(stamps)))
    assert values(status)["errors"] == values(status)["bad"] == "0"
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def test_size_and_encoding_may_change_from_frame_to_frame(peer, start, segmentation_model):
    start("segmentation", f"model:={segmentation_model}")
    masks = peer.collect(Image, "segmentation/mask")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")
    rgb, grey = solid(RED, 60, 80)[..., ::-1].copy(), solid(BLUE, 48, 64)[..., 0].copy()
    bgra = np.dstack([solid(GREEN, 2, 3), np.full((2, 3), 9, np.uint8)])
    # mono8 of 255 is white, in which the first class is as strong as the others
    frames = [
        (image(solid(RED), stamp=1), 2),
        (image(rgb, stamp=2, encoding="rgb8"), 2),
        (image(grey, stamp=3, encoding="mono8"), 0),
        (image(solid(GREEN, 240, 320), stamp=4), 1),
        (image(bgra, stamp=5, encoding="bgra8"), 1),
        (image(solid(BLUE, 3, 5), stamp=6), 0),
        (image(solid(RED, 360, 400), stamp=7), 2),
    ] * 2

    for count, (message, class_id) in enumerate(frames, start=1):
        send(message)
        peer.until(lambda count=count: len(masks) == count, f"mask {count}")
        mask = masks[-1]
        assert (mask.height, mask.width) == (message.height, message.width)
        assert (pixels(mask) == class_id).all()


def test_a_sign_may_be_beyond_the_edge_of_a_smaller_frame(peer, start, signs_model, detector_model):
    process = start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    answers = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")
    grey = (128, 128, 128)
    frame = solid(grey, 240, 320)
    frame[150:200, 250:300] = RED

    frames = [*[image(frame, stamp=stamp) for stamp in (1, 2, 3, 4)], image(solid(grey, 40, 60), stamp=5)]
    for count, message in enumerate(frames, start=1):
        send(message)
        peer.until(lambda count=count: len(answers) == count, f"the answer to frame {count}")
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def test_a_model_file_may_change_while_it_is_used(peer, start, signs_model, tmp_path):
    """A running node keeps what it has loaded; the next one that it loads is the file as it is then."""
    model = tmp_path / "signs.onnx"
    shutil.copy(signs_model, model)
    other = write_model(
        tmp_path / "other.onnx", ModelSpec("signs", COLORS[::-1], PALETTE, (8, 8), thresholds={"known": 0.5})
    )
    process = start("signs", "boxes:=frame", f"model:={model}")
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    def answered(stamp: int) -> str:
        send(image(solid(RED), stamp=stamp))
        peer.until(lambda: answers and answers[-1].header.stamp.sec == stamp, f"answer {stamp}")
        return answers[-1].results[0].class_id

    def again() -> bool:
        assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
        assert peer.transition("signs", Transition.TRANSITION_CLEANUP)
        return peer.transition("signs", Transition.TRANSITION_CONFIGURE)

    assert answered(1) == "2"
    for stamp, cut in ((2, 100), (3, 0)):  # truncated in its place, then empty
        os.truncate(model, cut)
        assert answered(stamp) == "2"
    other.replace(model)  # swapped for a whole one
    assert answered(4) == "2"

    os.truncate(model, 100)
    assert not again()
    status = peer.health("signs", lambda status: status.level == status.ERROR)
    assert f"{model}: not an ONNX file, or a damaged one" in status.message
    shutil.copy(signs_model, model)
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    peer.until(lambda: peer.node.count_subscribers("image_raw"), "the node to subscribe")
    peer.spin(1.0)
    assert answered(5) == "2"
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def test_a_full_disk_costs_a_node_its_log_and_nothing_else(peer, start, signs_model, full_disk, monkeypatch):
    monkeypatch.setenv("ROS_LOG_DIR", str(full_disk))
    process = start("signs", "boxes:=frame", f"model:={signs_model}")
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    peer.sender(Image, "image_raw")(image(solid(RED), stamp=3))
    peer.until(lambda: answers, "an answer")
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def endless_model(path: Path) -> Path:
    """A sign model that answers a black frame at once, and goes round and round over any other."""
    write_model(path, SIGNS)
    model = onnx.load(path)
    state = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("before", "after")]
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "go_on")]
    number = helper.make_tensor_value_info("number", TensorProto.INT64, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sqrt", ["before"], ["after"])],
        "round",
        [number, flags[0], state[0]],
        [flags[1], state[1]],
    )
    nodes = {node.output[0]: node for node in model.graph.node}
    nodes["known"].output[0] = "first"
    model.graph.initializer.append(numpy_helper.from_array(np.int64(10**9), "many"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["pixels"], ["brightest"], keepdims=0),
            helper.make_node("Cast", ["brightest"], ["bright"], to=TensorProto.INT64),
            helper.make_node("Mul", ["bright", "many"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "", "first"], ["known"], body=body),
        ]
    )
    onnx.checker.check_model(model)
    onnx.save_model(model, path)
    return path


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_an_inference_that_takes_for_ever(peer, start, tmp_path, with_signal):
    process = start(
        "signs", "boxes:=frame", f"model:={endless_model(tmp_path / 'endless.onnx')}", "stale_after:=0.3"
    )
    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)
    send = peer.sender(Image, "image_raw")
    send(image(solid(RED)))
    peer.health("signs", lambda status: "at one frame for" in status.message, arrays)

    begin = time.monotonic()
    code, output = process.stop(with_signal)

    assert code == 0 and "Traceback" not in output and "terminate called" not in output
    assert time.monotonic() - begin < END_S


def test_a_signal_ends_it_while_cv_bridge_is_tried_and_leaves_no_orphan(
    peer, start, signs_model, tmp_path, monkeypatch
):
    mark = tmp_path / "pid"
    source = f"import os, time\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    (tmp_path / "cv_bridge.py").write_text(source)
    paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    process = start("signs", "boxes:=frame", f"model:={signs_model}")
    peer.sender(Image, "image_raw")(image(solid(RED), encoding="no such thing"))
    peer.until(lambda: mark.exists() and mark.read_text(), "the trial")

    begin = time.monotonic()
    code, output = process.stop(signal.SIGTERM)

    assert code == 0 and "Traceback" not in output
    assert time.monotonic() - begin < END_S
    peer.until(lambda: not is_running(int(mark.read_text())), "the trial to end")


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
