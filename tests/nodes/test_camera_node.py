"""What the nodes share: lifecycle, the newest frame, and that nothing which arrives can end them."""

from __future__ import annotations

import array
import gc
import threading

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Classification

import perception
from perception import ModelSpec, SignClassifier
from perception.engines.fake import FakeEngine
from perception.nodes.signs import SignsNode
from tests.ros import GREEN, RED, ROOT, image, jpeg, solid, stamped, values

WHOLE_FRAMES = [Parameter("model", value="fake.onnx"), Parameter("boxes", value="frame")]
SPEC = ModelSpec("signs", ("Stop", "Yield"), ((255, 0, 0), (0, 255, 0)), (16, 16))


def malformed_images() -> list[Image]:
    """Every kind of broken Image that a driver could send."""
    frame = solid(RED, 48, 64)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    return [
        image(frame, height=0),
        image(frame, width=0),
        image(frame, height=0, width=0, step=0, data=array.array("B")),
        image(frame, step=0),
        image(frame, step=63),
        image(frame, step=4_294_967_295),
        image(frame, data=array.array("B")),
        image(frame, data=array.array("B", bytes(100))),
        image(frame, data=array.array("B", bytes(48 * 64 * 3 + 1))),
        image(frame, encoding=""),
        image(frame, encoding="no such thing"),
        image(frame, encoding="\N{PILE OF POO}"),
        image(frame, encoding="16UC1"),
        image(frame, encoding="32FC1"),
        image(frame, encoding="bgr16"),
        image(frame, encoding="bgra8"),
        image(frame, encoding="yuv422_yuy2", width=63),
        image(frame, encoding="nv12", height=47),
        image(frame, height=70_000, width=70_000, step=210_000),
        image(frame, height=4_294_967_295, width=4_294_967_295),
        image(noise, encoding="jpeg"),
    ]


def malformed_jpegs() -> list[CompressedImage]:
    """Every kind of broken CompressedImage."""
    whole = bytes(jpeg(solid(RED, 48, 64)).data)
    huge = whole.replace(bytes([0, 48, 0, 64]), bytes([255, 255, 255, 255]), 1)  # 65535 x 65535 in its header
    texts = [b"", b"\xff", b"\xff\xd8", whole[:20], whole[: len(whole) // 2], whole[:-40], huge, bytes(500)]
    return [CompressedImage(format="jpeg", data=array.array("B", text)) for text in texts]


@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_after_a_storm_of_malformed_messages_a_good_frame_is_answered(peer, start, signs_model, transport):
    process = start("signs", "boxes:=frame", f"model:={signs_model}", f"image_transport:={transport}")
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    raw = transport == "raw"
    send = peer.sender(Image, "image_raw") if raw else peer.sender(CompressedImage, "image_raw/compressed")
    broken = malformed_images() if raw else malformed_jpegs()

    for count in range(100):
        send(stamped(broken[count % len(broken)], stamp=-count))
        peer.spin(0.005)
    status = peer.health("signs", lambda status: int(values(status)["bad"]) >= len(broken))
    send(image(solid(RED), stamp=555) if raw else jpeg(solid(RED), stamp=555))
    peer.until(lambda: answers, "an answer to the good frame")

    assert [answer.header.stamp.sec for answer in answers] == [555]
    assert answers[0].results[0].class_id == "2"
    assert values(status)["errors"] == "0"
    code, output = process.stop()
    assert code == 0 and "Traceback" not in output
    assert 1 <= output.count("bad frame") <= 10  # at most once per second


class Gate(FakeEngine):
    """An engine that answers when the test lets it, or fails."""

    def __init__(self) -> None:
        super().__init__(SPEC)
        self.busy, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def infer(self, frames):
        self.busy.set()
        assert self.go.wait(20)
        if self.error:
            raise self.error
        return super().infer(frames)


def activate(peer, spin, engine: FakeEngine) -> None:
    """Run a signs node in this process, on an engine of the test's."""
    spin(SignsNode(load=lambda path, **options: SignClassifier(engine), parameter_overrides=WHOLE_FRAMES))
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)


def test_a_busy_engine_costs_old_frames_but_no_service_waits(peer, spin):
    engine = Gate()
    activate(peer, spin, engine)
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    send(image(solid(RED), stamp=1))
    peer.until(engine.busy.is_set, "the engine to be busy")
    for stamp in range(2, 8):
        send(image(solid(RED), stamp=stamp))
        peer.spin(0.05)
    status = peer.health("signs", lambda status: values(status)["frames_in"] == "7")
    request = GetParameters.Request(names=["stale_after"])
    assert peer.call(GetParameters, "/signs/get_parameters", request).values[0].double_value == 3.0
    engine.go.set()
    peer.until(lambda: len(answers) == 2, "two answers")

    assert [answer.header.stamp.sec for answer in answers] == [1, 7]
    assert values(status)["dropped"] == "5" and values(status)["processed"] == "0"


def test_an_engine_that_fails_costs_the_frame_and_not_the_node(peer, spin):
    engine = Gate()
    engine.go.set()
    engine.error = MemoryError("full")
    activate(peer, spin, engine)
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    arrays = peer.collect(DiagnosticArray, "/diagnostics", 10)  # reported once
    send(image(solid(RED), stamp=1))
    status = peer.health("signs", lambda status: values(status)["errors"] == "1", arrays)
    engine.error = None
    send(image(solid(RED), stamp=2))
    peer.until(lambda: answers, "an answer to the second frame")

    assert status.level == status.ERROR and "MemoryError: full" in status.message
    assert [answer.header.stamp.sec for answer in answers] == [2]


def test_a_model_that_cannot_be_loaded_can_be_replaced(peer, start, signs_model, tmp_path):
    start("signs", "boxes:=frame", "autostart:=false", f"model:={tmp_path / 'missing.onnx'}")

    assert not peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    status = peer.health("signs", lambda status: status.level == status.ERROR)
    assert "missing.onnx: no such file" in status.message
    existing = Parameter("model", value=str(signs_model)).to_parameter_msg()
    request = SetParameters.Request(parameters=[existing])
    assert peer.call(SetParameters, "/signs/set_parameters", request).results[0].successful
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    refused = peer.call(SetParameters, "/signs/set_parameters", request).results[0]
    assert not refused.successful and "deactivate and clean up first" in refused.reason


def test_the_lifecycle_goes_round_and_refuses_wrong_turns(peer, start, signs_model):
    process = start("signs", "boxes:=frame", "autostart:=false", f"model:={signs_model}")
    answers = peer.collect(Classification, "signs/classification")

    for count in (1, 2):
        assert not peer.transition("signs", Transition.TRANSITION_ACTIVATE)
        assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
        assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
        assert not peer.transition("signs", Transition.TRANSITION_ACTIVATE)
        peer.matched(1)
        peer.sender(Image, "image_raw")(image(solid(GREEN), stamp=count))
        peer.until(lambda stamp=count: answers and answers[-1].header.stamp.sec == stamp, "an answer")
        assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
        peer.until(lambda: not peer.node.count_subscribers("image_raw"), "the node to unsubscribe")
        assert peer.transition("signs", Transition.TRANSITION_CLEANUP)
    assert peer.transition("signs", Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    peer.health("signs", lambda status: values(status)["state"] == "finalized")

    code, output = process.stop()
    assert code == 0 and "Traceback" not in output


def test_silence_is_reported_with_its_cause(peer, start, signs_model):
    start("signs", "boxes:=frame", f"model:={signs_model}", "stale_after:=0.5")
    peer.node.create_publisher(CompressedImage, "image_raw/compressed", 1)
    status = peer.health("signs", lambda status: "compressed" in status.message)

    assert status.level == status.STALE
    for words in ("on /image_raw", "0 publishers", "on /image_raw/compressed", "set image_transport"):
        assert words in status.message


def test_the_model_parameter_may_name_a_folder(peer, start, signs_model):
    start("signs", "boxes:=frame", f"model:={signs_model.parent}")

    status = peer.health("signs", lambda status: values(status)["state"] == "active")

    assert values(status)["model"] == str(signs_model)
    assert perception.load(signs_model).spec.task == values(status)["task"]


@pytest.mark.parametrize(("precision", "name"), [("int8", "track.int8.onnx"), ("fp32", "track.onnx")])
def test_the_log_and_the_diagnostics_say_which_precision_runs(peer, start, precision, name):
    process = start("segmentation", "model:=track", f"precision:={precision}", "device:=cpu")

    status = peer.health("segmentation", lambda status: values(status)["state"] == "active")

    assert values(status)["precision"] == precision
    assert values(status)["model"] == str(ROOT / "models" / name)
    assert f"models/{name} on cpu; {precision}: as precision orders" in process.stop()[1]


class Counting(SignsNode):
    """Notes how many frames it had answered each time that it forgot them."""

    def __init__(self, **options):
        self.resets: list[int] = []
        self.answered: list[int] = []
        super().__init__(**options)

    def reset(self):
        super().reset()
        self.resets.append(len(self.answered))

    def answer(self, job, frame):
        self.answered.append(job.image.header.stamp.sec)
        return super().answer(job, frame)


def test_earlier_frames_are_forgotten_on_activation_and_when_stamps_go_back(peer, spin):
    node = Counting(
        load=lambda path, **options: SignClassifier(FakeEngine(SPEC)),
        parameter_overrides=WHOLE_FRAMES,
    )
    spin(node)
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    answers = peer.collect(Classification, "signs/classification")
    peer.matched(1)
    send = peer.sender(Image, "image_raw")

    for count, stamp in enumerate((10, 11, 5, 6), start=1):  # a bag that begins again
        send(image(solid(RED), stamp=stamp))
        peer.until(lambda count=count: len(answers) == count, "an answer")

    assert node.resets == [0, 2]


def test_clean_up_closes_the_model(peer, spin):
    engine = FakeEngine(SPEC)
    activate(peer, spin, engine)
    assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
    assert not engine.is_closed
    assert peer.transition("signs", Transition.TRANSITION_CLEANUP)
    assert engine.is_closed


def test_a_destroyed_node_leaves_the_network_at_once(peer):
    node = SignsNode(parameter_overrides=WHOLE_FRAMES)
    peer.until(lambda: "signs" in peer.node.get_node_names(), "the node")
    gc.disable()  # or it would come to the rescue now and then
    try:
        node.destroy_node()
        peer.until(lambda: "signs" not in peer.node.get_node_names(), "its end")
    finally:
        gc.enable()
    assert peer.node.count_publishers("signs/transition_event") == 0
