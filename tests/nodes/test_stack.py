"""Both nodes in one process: they share the camera, and what befalls one of them leaves the other at work."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Classification

from perception.engines.threads import cores, share_cores, threads
from tests.ros import BLUE, GREEN, PATIENCE_S, RED, ROOT, image, jpeg, pixels, solid, values

FAULTY = """
import ctypes, sys
from perception.nodes import process, segmentation, signs
def fault(*_):
    {fault}
{node}.{method} = fault
sys.exit(process.run_together("stack", [signs.SignsNode, segmentation.SegmentationNode], sys.argv[1:]))
"""


@pytest.fixture
def given(signs_model, segmentation_model) -> list[str]:
    """Parameters of a stack whose models see colours."""
    return [
        "signs:boxes:=frame",
        f"signs:model:={signs_model}",
        f"segmentation:model:={segmentation_model}",
    ]


def test_both_nodes_answer_about_the_same_frame(peer, start, signs_model, segmentation_model, tmp_path):
    own = tmp_path / "own.yaml"  # of one node; in a namespace, a file is the only way
    own.write_text(
        f"/**/signs: {{ros__parameters: {{boxes: frame, model: {signs_model}}}}}\n"
        f"/**/segmentation: {{ros__parameters: {{model: {segmentation_model}}}}}\n"
    )
    arguments = ("--params-file", str(own), "-r", "__ns:=/car")
    process = start("stack", "image_transport:=compressed", arguments=arguments)
    signs = peer.collect(Classification, "/car/signs/classification")
    masks = peer.collect(Image, "/car/segmentation/mask")
    peer.matched(2)
    send = peer.sender(CompressedImage, "/car/image_raw/compressed")
    assert peer.node.count_subscribers("/car/image_raw/compressed") == 1

    for stamp, color in enumerate((RED, GREEN, BLUE), start=1):
        send(jpeg(solid(color), stamp=stamp))
        peer.until(lambda stamp=stamp: len(signs) == len(masks) == stamp, "both answers")

    assert [answer.header.stamp.sec for answer in (*signs, *masks)] == [1, 2, 3, 1, 2, 3]
    assert [answer.results[0].class_id for answer in signs] == ["2", "1", "0"]
    assert [int(pixels(mask)[0, 0]) for mask in masks] == [2, 1, 0]
    for node in ("car/signs", "car/segmentation"):
        status = peer.health(node, lambda status: values(status)["processed"] == "3")
        assert values(status)["state"] == "active" and status.level == status.OK
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output, output


def test_each_node_has_a_lifecycle_of_its_own(peer, start, given):
    start("stack", *given)
    signs = peer.collect(Classification, "signs/classification")
    masks = peer.collect(Image, "segmentation/mask")
    peer.matched(2)
    send = peer.sender(Image, "image_raw", qos_profile_sensor_data)  # best effort, which they take, too

    def answered(stamp: int) -> tuple[bool, bool]:
        return tuple(any(a.header.stamp.sec == stamp for a in answers) for answers in (signs, masks))

    # The node that subscribed leaves, and comes back behind the other, which then leaves as well.
    steps = [("signs", Transition.TRANSITION_DEACTIVATE, (False, True))]
    steps += [("signs", Transition.TRANSITION_ACTIVATE, (True, True))]
    steps += [("segmentation", Transition.TRANSITION_DEACTIVATE, (True, False))]
    for stamp, (node, transition, expected) in enumerate(steps, start=1):
        assert peer.transition(node, transition)
        peer.until(lambda: peer.node.count_subscribers("image_raw") == 1, "one subscription")
        peer.spin(1.0)  # the camera's side meets the new subscription, too
        send(image(solid(RED), stamp=stamp))
        peer.until(lambda stamp=stamp, expected=expected: answered(stamp) == expected, "the answers")
    assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
    peer.until(lambda: not peer.node.count_subscribers("image_raw"), "the end of the subscription")


def test_a_task_that_cannot_start_leaves_the_other_at_work_and_says_so(peer, start, given, signs_model):
    process = start("stack", *given, "signs:model:=/nowhere/signs.onnx")
    signs = peer.collect(Classification, "signs/classification")
    masks = peer.collect(Image, "segmentation/mask")
    status = peer.health("signs", lambda status: status.level == status.ERROR)
    assert "/nowhere/signs.onnx: no such file" in status.message
    assert values(status)["state"] == "unconfigured"
    send = peer.sender(Image, "image_raw")
    send(image(solid(RED), stamp=1))
    peer.until(lambda: masks, "an answer of the other")

    existing = Parameter("model", value=str(signs_model)).to_parameter_msg()
    request = SetParameters.Request(parameters=[existing])
    assert peer.call(SetParameters, "/signs/set_parameters", request).results[0].successful
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    peer.matched(2)
    send(image(solid(RED), stamp=2))
    peer.until(lambda: signs and len(masks) == 2, "both answers")
    code, output = process.stop(signal.SIGTERM)
    assert code == 0 and "Traceback" not in output, output


def test_a_stack_of_which_nothing_can_start_ends(start):
    code, output = start("stack", "model:=/nowhere/none.onnx").ended()
    assert code == 1
    assert output.count("/nowhere/none.onnx: no such file") == 2 and "Traceback" not in output


def faulty(given: list[str], node: str, method: str, fault: str) -> subprocess.Popen[str]:
    """A stack with a fault built in."""
    program = FAULTY.format(node=node, method=method, fault=fault)
    words = [word for parameter in given for word in ("-p", parameter)]
    return subprocess.Popen(
        [sys.executable, "-c", program, "stack", "--ros-args", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("method", "error"), [("on_frame", "KeyError"), ("answer", "SystemExit")])
def test_a_fault_of_one_task_is_reported_and_costs_the_other_nothing(peer, given, method, error):
    process = faulty(given, "signs.SignsNode", method, f"raise {error}('a bug')")
    try:
        masks = peer.collect(Image, "segmentation/mask")
        peer.matched(1)
        send = peer.sender(Image, "image_raw")
        for stamp in (1, 2):
            send(image(solid(RED), stamp=stamp))
            peer.until(lambda stamp=stamp: len(masks) == stamp, "an answer of the other")
        status = peer.health("signs", lambda status: int(values(status)["errors"]) > 0)
        assert values(status)["state"] == "active"
        assert peer.health("segmentation", lambda s: values(s)["processed"] == "2").level == b"\0"
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert f"{error}: " in output and "a bug" in output


def test_a_crash_of_native_code_names_the_task(peer, given):
    process = faulty(given, "segmentation.SegmentationNode", "answer", "ctypes.string_at(0)")
    peer.sender(Image, "image_raw")(image(solid(RED), stamp=1))
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in output and "in fault" in output


def test_models_that_run_at_the_same_time_share_the_cores():
    alone = threads()
    try:
        share_cores(2)
        assert threads() == max(1, alone // 2)
        share_cores(10_000)
        assert threads() == 1
    finally:
        share_cores(1)
    assert threads() == cores()
