"""How a node's process starts, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perception.nodes.middleware import fast_dds_profiles
from tests.ros import PATIENCE_S, ROOT, values


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(peer, start, signs_model: Path, with_signal):
    process = start("signs", "boxes:=frame", f"model:={signs_model}")
    peer.health("signs", lambda status: values(status)["state"] == "active")

    code, output = process.stop(with_signal)

    assert code == 0
    assert "Traceback" not in output and "rror" not in output


@pytest.mark.parametrize(
    ("parameter", "problem"),
    [
        ("model:=/nowhere/signs.onnx", "/nowhere/signs.onnx: no such file"),
        ("modle:=signs.onnx", "unknown parameter 'modle'; did you mean 'model'?"),
        (
            "qos_overrides./signs/detektions.publisher.reliability:=reliable",
            "did you mean 'qos_overrides./signs/detections.publisher.reliability'?",
        ),
        ("device:=gpu", "device is 'gpu'; it must be one of auto, cpu, cuda, tensorrt"),
        ("stale_after:=0.0", "stale_after out of range"),
    ],
)
def test_what_it_cannot_start_with_is_reported_in_one_line(start, parameter: str, problem: str):
    code, output = start("signs", parameter).ended()

    assert code == 1
    assert "Traceback" not in output
    assert problem in output.strip().splitlines()[-1]


def test_a_model_for_another_task_is_refused(start, segmentation_model: Path):
    code, output = start("signs", f"model:={segmentation_model}").ended()

    assert code == 1
    assert all(task in output.splitlines()[-1] for task in ("'segmentation'", "'signs'"))


def test_a_params_file_with_a_misspelt_name_is_refused(start, tmp_path: Path):
    file = tmp_path / "params.yaml"
    file.write_text("/**/segmentation:\n  ros__parameters:\n    overlay_alfa: 0.3\n")

    code, output = start("segmentation", arguments=("--params-file", str(file))).ended()

    assert code == 1
    assert "unknown parameter 'overlay_alfa'; did you mean 'overlay_alpha'?" in output


@pytest.mark.parametrize(
    ("moment", "code"),
    [("use_fast_dds_profile", -signal.SIGTERM), ("install_signal_handlers", 0)],
)
def test_a_signal_before_rclpy_listens_ends_it_too(peer, signs_model: Path, moment: str, code: int):
    """It must not go on after a signal in its first moments."""
    program = (
        "import os, signal, sys\n"
        "from perception.nodes import process, signs\n"
        f"process.{moment} = lambda: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(process.run(signs.SignsNode, ['signs', '--ros-args', '-p', sys.argv[1]]))\n"
    )
    command = [sys.executable, "-c", program, f"model:={signs_model}"]
    assert subprocess.run(command, cwd=ROOT, timeout=PATIENCE_S, check=False).returncode == code


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_while_a_native_call_loads_the_model(peer, signs_model: Path, with_signal):
    program = (
        "import ctypes, sys\n"
        "from perception.nodes import process, signs\n"
        "def load(node):\n"
        "    print('loading', flush=True)\n"
        "    ctypes.PyDLL(None).sleep(600)  # which holds Python's lock\n"
        "process._start = load\n"
        "sys.exit(process.run(signs.SignsNode, ['signs', '--ros-args', '-p', sys.argv[1]]))\n"
    )
    command = [sys.executable, "-c", program, f"model:={signs_model}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        process.send_signal(with_signal)
        assert process.wait(PATIENCE_S) == -with_signal


@pytest.mark.parametrize(
    ("environment", "has_network"),
    [
        ({"ROS_DISTRO": "jazzy"}, True),
        ({"ROS_DISTRO": "humble"}, True),
        # It adds its own, to which ours would be a second.
        ({"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"}, False),
    ],
)
def test_who_stays_on_this_machine_opens_no_network(environment: dict[str, str], has_network: bool):
    assert ("UDP" in Path(fast_dds_profiles(environment)).read_text()) is has_network
