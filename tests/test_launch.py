"""The launch files, run by the real launch where it is installed (it comes with ROS, not from PyPI)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("launch_ros", reason="launch_ros comes with ROS 2 only")
pytest.importorskip("rclpy", reason="the nodes need ROS 2")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image
from vision_msgs.msg import Classification, Detection2DArray

from perception.engines.precision import fast_bytes
from tests import gpu
from tests.ros import RED, Peer, image, solid, values

ROOT = Path(__file__).parents[1]
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [word.split(":=", 1) for word in sys.argv[2:]]
service = LaunchService(noninteractive=True)  # as under systemd: launch itself passes signals on
included = IncludeLaunchDescription(source, launch_arguments=arguments)
service.include_launch_description(LaunchDescription([included]))
sys.exit(service.run())
"""


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A node of the test's own."""
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a launch file, with this checkout as the installed package."""
    prefix = tmp_path / "install"
    (prefix / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (prefix / "share/ament_index/resource_index/packages/perception").touch()
    (prefix / "lib/perception").mkdir(parents=True)
    programs = {name: f"perception.nodes.{name}" for name in ("signs", "segmentation", "stack")}
    for name, module in {**programs, "perception": "perception"}.items():
        executable = prefix / "lib/perception" / name
        start = f'exec {sys.executable} -m {module} "$@"'
        executable.write_text(f"#!/bin/sh\ncd {ROOT}\n{start}\n")
        executable.chmod(0o755)
    ament_path = os.pathsep.join(filter(None, [str(prefix), os.environ.get("AMENT_PREFIX_PATH")]))
    own_environment = {"AMENT_PREFIX_PATH": ament_path, "ROS_LOG_DIR": str(tmp_path / "log")}
    started = []

    def launch(file: str, *arguments: str, path: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(ROOT / "launch" / file), *arguments],
            env=os.environ | own_environment | {"PATH": path + os.environ["PATH"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)


@pytest.fixture
def models(signs_model: Path, detector_model: Path, segmentation_model: Path, tmp_path: Path) -> Path:
    """A folder with all models."""
    folder = tmp_path / "models"
    folder.mkdir()
    for model in (signs_model, detector_model, segmentation_model):
        (folder / model.name).symlink_to(model)
    return folder


def test_both_nodes_answer_in_a_namespace(peer, launch, models, tmp_path):
    params_file = tmp_path / "params.yaml"
    params_file.write_text("/**/segmentation:\n  ros__parameters:\n    stale_after: 0.2\n")
    process = launch(
        "perception.launch.py",
        f"model:={models}",
        f"detector:={models}",
        f"params_file:={params_file}",
        "namespace:=car",
        "image_topic:=/camera/color",
    )
    masks = peer.collect(Image, "/car/segmentation/mask")
    detections = peer.collect(Detection2DArray, "/car/signs/detections")
    peer.matched(2)
    send = peer.sender(Image, "/camera/color")
    peer.until(lambda: peer.node.count_subscribers("/camera/color") == 2, "both nodes")

    send(image(solid(RED), stamp=6))
    peer.until(lambda: masks and detections, "both answers")
    signs = peer.health("car/signs", lambda status: values(status)["processed"] == "1")
    stale = peer.health("car/segmentation", lambda status: status.level == status.STALE)

    assert masks[0].header.stamp.sec == detections[0].header.stamp.sec == 6
    (found,) = detections[0].detections
    assert (found.id, found.results[0].hypothesis.class_id) == ("1", "2")
    assert values(signs)["detector"] == str(models / "sign_detector.onnx")
    assert values(stale)["model"] == str(models / "segnet.onnx")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output.count("process has finished cleanly") == 2 and "Traceback" not in output


def test_engines_are_built_before_the_nodes_start(peer, launch, models, tmp_path, monkeypatch):
    for name, value in gpu.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    given = ("build:=true", "strict_device:=true", f"signs_model:={models}", f"segmentation_model:={models}")
    process = launch("perception.launch.py", *given, "boxes:=frame")
    for node in ("signs", "segmentation"):
        status = peer.health(node, lambda status: values(status)["state"] == "active")
        assert values(status)["device"] == "tensorrt"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    built = [line.split("built in")[0].split()[-1] for line in output.splitlines() if "built in" in line]
    assert built == ["signs.onnx:", "segnet.onnx:"]


def test_signs_may_come_cut_out(peer, launch, models):
    launch("perception.launch.py", f"model:={models}", "boxes:=frame")
    classifications = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")
    peer.until(lambda: peer.node.count_subscribers("image_raw") == 2, "both nodes")
    send(image(solid(RED), stamp=6))
    peer.until(lambda: classifications, "an answer")
    assert [hypothesis.class_id for hypothesis in classifications[0].results] == ["2"]


def test_both_nodes_may_share_a_process(peer, launch, models):
    given = ("namespace:=car", "image_topic:=/camera/color", f"model:={models}", "boxes:=frame")
    process = launch("perception.launch.py", "stack:=true", *given, "segmentation_model:=track")
    masks = peer.collect(Image, "/car/segmentation/mask")
    classifications = peer.collect(Classification, "/car/signs/classification")
    peer.matched(2)
    assert peer.node.count_subscribers("/camera/color") == 1

    peer.sender(Image, "/camera/color")(image(solid(RED), stamp=6))
    peer.until(lambda: masks and classifications, "both answers")
    road = peer.health("car/segmentation", lambda status: values(status)["processed"] == "1")

    assert [hypothesis.class_id for hypothesis in classifications[0].results] == ["2"]
    assert values(road)["model"] == str(ROOT / f"models/track{'.int8' if fast_bytes() else ''}.onnx")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output.count("process has finished cleanly") == 1 and "Traceback" not in output


def test_one_node_may_have_a_model_of_its_own(peer, launch, models):
    given = (f"model:={models}", "segmentation_model:=segnet", "precision:=fp32")
    launch("perception.launch.py", *given)
    shipped = peer.health("segmentation", lambda status: values(status)["state"] == "active")
    own = peer.health("signs", lambda status: values(status)["state"] == "active")
    assert values(shipped)["model"] == str(ROOT / "models/segnet.onnx")
    assert values(own)["model"] == str(models / "signs.onnx")


def test_what_is_not_given_is_as_the_parameter_file_says(peer, launch, models, tmp_path):
    params_file = tmp_path / "params.yaml"
    params_file.write_text("/**:\n  ros__parameters:\n    autostart: false\n    use_sim_time: true\n")
    launch("perception.launch.py", f"model:={models}", f"params_file:={params_file}")
    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)

    def states() -> list[str]:
        return [values(s)["state"] for a in arrays for s in a.status if s.name.startswith("signs:")]

    peer.until(lambda: len(states()) >= 3, "three statuses")
    assert set(states()) == {"unconfigured"}


def test_a_node_that_is_killed_comes_back_with_use_respawn(peer, launch, models):
    process = launch("perception.launch.py", f"model:={models}", "boxes:=frame", "use_respawn:=true")
    line = next(line for line in process.stdout if "process started with pid" in line and "[signs" in line)
    peer.health("signs", lambda status: values(status)["state"] == "active")

    os.kill(int(line.rsplit("[", 1)[1].split("]")[0]), signal.SIGKILL)

    next(line for line in process.stdout if "process started with pid" in line and "[signs" in line)
    peer.health("signs", lambda status: values(status)["state"] == "active")


def test_replay_plays_records_and_ends_with_the_bag(launch, models, tmp_path):
    # rosbag2 itself is not installed everywhere; this replaces its command line.
    calls = tmp_path / "calls"
    stand_in = tmp_path / "bin" / "ros2"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        f'[ "$2" = play ] && echo "$FASTRTPS_DEFAULT_PROFILES_FILE" >> {calls} && exec sleep 1\n'
        f"trap 'echo closed >> {calls}; exit 0' INT\nwhile :; do sleep 0.1; done\n"
    )
    stand_in.chmod(0o755)

    arguments = ("bag:=drive", "out:=answers", "rate:=2.0", f"model:={models}", f"detector:={models}")
    process = launch("replay.launch.py", *arguments, path=f"{stand_in.parent}:")
    output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    called = calls.read_text().splitlines()
    inputs = "/image_raw /image_raw/compressed /rois"  # and no answers that the drive may hold
    assert f"bag play drive --clock --topics {inputs} --rate 2.0 --delay 5.0" in called
    assert any(call.startswith("bag record --use-sim-time -o answers --regex ") for call in called)
    assert str(ROOT / "config" / "fastdds.xml") in called  # or large best-effort frames were lost
    assert called[-1] == "closed"
    assert "Traceback" not in output and "the recorder has ended" not in output


def test_replay_refuses_a_folder_that_is_there_before_the_bag_plays(launch, tmp_path):
    (tmp_path / "answers").mkdir()
    output, _ = launch("replay.launch.py", "bag:=drive", f"out:={tmp_path / 'answers'}").communicate(
        timeout=30
    )
    assert "answers exists already; remove it" in output
    assert "process started" not in output


def test_replay_ends_when_its_recorder_does(launch, models, tmp_path):
    stand_in = tmp_path / "bin" / "ros2"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\n[ "$2" = play ] && exec sleep 60\nexit 1\n')
    stand_in.chmod(0o755)
    process = launch("replay.launch.py", "bag:=drive", f"model:={models}", path=f"{stand_in.parent}:")
    output, _ = process.communicate(timeout=30)
    assert "the recorder has ended before the bag" in output


def test_metres_come_from_the_camera_info_beside_the_images(peer, launch, models):
    given = ("ground:=true", "camera_height_m:=0.18", "camera_pitch_deg:=14.0", "drivable:=Blue,Green")
    launch("perception.launch.py", f"model:={models}", "boxes:=frame", "image_topic:=/camera/color", *given)
    peer.until(lambda: peer.node.count_subscribers("/camera/camera_info"), "the node, at the camera's info")
    peer.until(lambda: peer.node.count_publishers("/ground/stop_line"), "what it says in metres")
