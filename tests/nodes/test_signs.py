"""The signs node as users start it: how it finds, reads and follows, and how it matches boxes with frames."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from vision_msgs.msg import BoundingBox2D, Classification, Detection2D, Detection2DArray, Point2D, Pose2D

from perception import SignClassifier, SignDetector
from perception.engines.fake import FakeEngine
from perception.nodes.cameras import Cameras, Picture
from perception.nodes.signs import SignsNode
from tests.conftest import DETECTION, SIGNS, write_model
from tests.ros import BLUE, GREEN, GREY, RED, image, pixels, solid, stamped, values


def rois(stamp: int, *boxes: tuple[float, float, float, float]) -> Detection2DArray:
    """Boxes as a detector sends them: (centre x, centre y, width, height)."""
    detections = [
        Detection2D(
            id=f"track {index}",
            bbox=BoundingBox2D(center=Pose2D(position=Point2D(x=x, y=y)), size_x=width, size_y=height),
        )
        for index, (x, y, width, height) in enumerate(boxes)
    ]
    return stamped(Detection2DArray(detections=detections), stamp)


def street(*signs: tuple[tuple[int, int, int], int, int, int]) -> np.ndarray:
    """A grey frame with square signs: (colour, left, top, side)."""
    frame = solid(GREY, 240, 320)
    for color, left, top, side in signs:
        frame[top : top + side, max(left, 0) : left + side] = color
    return frame


NEAR_GREEN, FAR_BLUE = (GREEN, 200, 60, 60), (BLUE, 40, 80, 30)


def hypotheses(message: Classification | Detection2D) -> list[str]:
    """The class ids that a message names."""
    if isinstance(message, Classification):
        return [hypothesis.class_id for hypothesis in message.results]
    return [result.hypothesis.class_id for result in message.results]


def changes(events: list[Detection2D]) -> list[tuple[int, str, str, bool]]:
    """Events as (stamp, id, class, whether it came)."""
    return [(e.header.stamp.sec, e.id, hypotheses(e)[0], e.results[0].hypothesis.score > 0.5) for e in events]


class Answers:
    """What a node publishes about frames that are sent one at a time."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.detections = peer.collect(Detection2DArray, "signs/detections")
        self.classifications = peer.collect(Classification, "signs/classification")
        self.events = peer.collect(Detection2D, "signs/events", 100)
        peer.matched(3)
        self.send = peer.sender(Image, "image_raw")

    def to(self, message: Image) -> Detection2DArray:
        """Send a frame; its detections."""
        count = len(self.detections)
        self.send(message)
        enough = lambda: len(self.detections) == len(self.classifications) == count + 1  # noqa: E731
        self.peer.until(enough, f"an answer to frame {count + 1}")
        return self.detections[-1]


def test_signs_are_found_read_and_followed(peer, start, signs_model, detector_model):
    start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    overlays = peer.collect(Image, "signs/overlay")
    answers = Answers(peer)

    answers.to(image(street(NEAR_GREEN, FAR_BLUE), stamp=1))
    answers.to(image(street((GREEN, 204, 62, 60), (BLUE, 42, 80, 30)), stamp=2))
    for stamp in range(3, 7):
        answers.to(image(street(), stamp=stamp))
    peer.until(lambda: len(answers.events) == 4, "two signs to come and go")

    first, second = answers.detections[:2]
    assert second.header == image(street(), stamp=2).header
    boxes = {hypotheses(one)[0]: (one.bbox.center.position.x, one.bbox.size_x) for one in second.detections}
    assert boxes["1"] == pytest.approx((234.0, 60.0), abs=1.5)
    assert boxes["0"] == pytest.approx((57.0, 30.0), abs=1.5)
    ids = {hypotheses(one)[0]: one.id for one in first.detections}
    assert sorted(ids.values()) == ["1", "2"]
    assert {hypotheses(one)[0]: one.id for one in second.detections} == ids
    assert list(answers.detections[2].detections) == []

    # It takes two frames to be sure, and the nearer sign comes first; hidden for a moment, they still apply.
    assert [hypotheses(c) for c in answers.classifications[:3]] == [[], ["1", "0"], ["1", "0"]]
    assert hypotheses(answers.classifications[-1]) == []
    came, left = changes(answers.events)[:2], changes(answers.events)[2:]
    assert sorted(came) == sorted((2, ids[name], name, True) for name in ("0", "1"))
    assert {(i, name, has_come) for _, i, name, has_come in left} == {(ids[n], n, False) for n in ("0", "1")}
    assert all(answers.events[-1].header.stamp.sec > 3 for _ in left)
    assert all(event.results[0].hypothesis.score == 0.0 for event in answers.events[2:])
    assert not np.array_equal(pixels(overlays[1]), street((GREEN, 204, 62, 60), (BLUE, 42, 80, 30)))

    status = peer.health("signs", lambda status: values(status)["processed"] == "6")
    facts = values(status)
    assert facts["detector"] == str(detector_model) and facts["detector_device"] == facts["device"]
    assert facts["tracks"] == "0"
    assert {"find_prepare_ms_p50", "find_infer_ms_p99", "infer_ms_p50", "track_ms_p50"} <= facts.keys()


def test_a_whole_frame_is_classified_and_an_unknown_sign_has_no_results(peer, start, signs_model):
    start("signs", f"model:={signs_model}", "boxes:=frame")
    classifications = peer.collect(Classification, "signs/classification")
    detections = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(2)
    send = peer.sender(Image, "image_raw")

    send(image(solid(RED, 40, 60), stamp=8))
    peer.until(lambda: classifications and detections, "an answer to the red frame")
    send(image(solid(GREY), stamp=9))
    peer.until(lambda: len(classifications) == len(detections) == 2, "an answer to the grey frame")

    red, grey = classifications
    assert red.header == image(solid(RED), stamp=8).header
    assert [hypothesis.class_id for hypothesis in red.results] == ["2"] and red.results[0].score > 0.9
    box = detections[0].detections[0].bbox
    assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (30.0, 20.0, 60.0, 40.0)
    assert detections[0].detections[0].results[0].hypothesis.class_id == "2"
    assert grey.header.stamp.sec == 9 and list(grey.results) == []
    assert list(detections[1].detections[0].results) == []


def test_boxes_are_read_and_followed_in_the_frame_of_their_stamp(peer, start, signs_model):
    start("signs", f"model:={signs_model}", "boxes:=rois")
    detections = peer.collect(Detection2DArray, "signs/detections")
    classifications = peer.collect(Classification, "signs/classification")
    events = peer.collect(Detection2D, "signs/events")
    overlays = peer.collect(Image, "signs/overlay")
    peer.matched(4)
    send_image, send_rois = peer.sender(Image, "image_raw"), peer.sender(Detection2DArray, "rois")
    frame = solid(GREY, 100, 200)
    frame[10:40, 20:50], frame[50:80, 160:190] = BLUE, GREEN
    boxes = (35.0, 25.0, 30.0, 30.0), (100.0, 50.0, 10.0, 10.0), (175.0, 65.0, 30.0, 30.0)

    send_image(image(frame, stamp=1))
    send_rois(rois(1, *boxes))
    peer.until(lambda: len(detections) == 1, "an answer when the frame came first")
    send_rois(rois(2, *boxes))
    send_image(image(frame, stamp=2))
    peer.until(lambda: len(detections) == 2, "an answer when the boxes came first")
    send_rois(rois(3))
    send_image(image(frame, stamp=3))
    peer.until(lambda: len(detections) == 3 and len(overlays) == 3, "an answer to no boxes")

    for array in detections[:2]:
        assert [[r.hypothesis.class_id for r in one.results] for one in array.detections] == [
            ["0"],
            [],
            ["1"],
        ]
        assert [one.id for one in array.detections] == ["track 0", "track 1", "track 2"]
        assert [one.bbox.center.position.x for one in array.detections] == [35.0, 100.0, 175.0]
    assert hypotheses(classifications[0]) == [] and sorted(hypotheses(classifications[1])) == ["0", "1"]
    assert sorted((stamp, name) for stamp, _, name, _ in changes(events)) == [(2, "0"), (2, "1")]
    assert detections[2].header.stamp.sec == 3 and list(detections[2].detections) == []
    assert not np.array_equal(pixels(overlays[0]), frame)


def test_frames_without_boxes_and_impossible_boxes_are_counted(peer, start, signs_model):
    start("signs", f"model:={signs_model}", "boxes:=rois")
    detections = peer.collect(Detection2DArray, "signs/detections")
    peer.matched(1)
    send_image, send_rois = peer.sender(Image, "image_raw"), peer.sender(Detection2DArray, "rois")

    for stamp in range(1, 31):
        send_image(image(solid(RED), stamp=stamp))
        peer.spin(0.02)
    nan, inf = float("nan"), float("inf")
    bad = [(nan, 5.0, 4.0, 4.0)], [(inf, 5.0, 4.0, 4.0)], [(500.0, 5.0, 4.0, 4.0)], [(5.0, 5.0, 0.0, 4.0)]
    too_many = [(5.0, 5.0, 4.0, 4.0)] * 3000
    for stamp, boxes in enumerate([*bad, too_many], start=40):
        send_image(image(solid(RED), stamp=stamp))
        send_rois(rois(stamp, *boxes))
        peer.spin(0.3)  # a frame that waits would make room for the next
    status = peer.health("signs", lambda status: int(values(status)["bad"]) >= 5)
    send_image(image(solid(RED), stamp=99))
    send_rois(rois(99, (5.0, 5.0, 4.0, 4.0)))
    peer.until(lambda: detections, "an answer to a good frame")

    assert [array.header.stamp.sec for array in detections] == [99]
    assert values(status)["bad.box"] == "5"
    assert int(values(status)["unpaired"]) >= 3


def test_nothing_that_a_frame_shows_stops_it(peer, start, signs_model, detector_model):
    """A grey camera, hardly a frame, signs at the border and of a few pixels, one that fills the frame."""
    start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    answers = Answers(peer)
    grey = solid(GREY, 240, 320)[..., 0].copy()
    cut = street((RED, -20, 100, 60), (GREEN, 290, 100, 60), (BLUE, 150, 220, 60))

    assert list(answers.to(image(grey, stamp=1, encoding="mono8")).detections) == []
    for stamp, size in enumerate([(2, 2), (2, 300), (300, 2), (2, 3)], start=2):
        assert list(answers.to(image(solid(GREY, *size), stamp=stamp)).detections) == []
    answers.send(image(solid(RED, 1, 1), stamp=6))
    peer.health("signs", lambda status: values(status)["bad"] == "1")
    answers.to(image(solid(RED, 2, 2), stamp=6))
    at_border = answers.to(image(cut, stamp=7)).detections
    assert sorted(hypotheses(one)[0] for one in at_border) == ["0", "1", "2"]
    assert max(one.bbox.center.position.x + one.bbox.size_x / 2 for one in at_border) <= 320.0
    answers.to(image(street((RED, 50, 50, 2), (GREEN, 80, 80, 5)), stamp=8))
    (whole,) = answers.to(image(street((RED, 0, 0, 320)), stamp=9)).detections
    assert hypotheses(whole) == ["2"] and whole.bbox.size_x == pytest.approx(320.0, abs=1.0)

    status = peer.health("signs", lambda status: values(status)["processed"] == "9")
    assert values(status)["errors"] == "0" and values(status)["bad.size"] == "1"


def follow(peer, spin, find: FakeEngine, classify: FakeEngine) -> SignsNode:
    """Run a signs node in this process, on engines of the test's."""
    models = {"signs.onnx": SignClassifier(classify), "find.onnx": SignDetector(find)}
    given = [Parameter("model", value="signs.onnx"), Parameter("detector", value="find.onnx")]
    node = SignsNode(load=lambda path, **options: models[path.name], parameter_overrides=given)
    spin(node)
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    return node


def found(*boxes: tuple[float, float, float, float]) -> FakeEngine:
    """A detector that finds these boxes in every frame."""
    scores = np.linspace(1.0, 0.5, len(boxes), dtype=np.float32)
    as_it_is = replace(DETECTION, enlarge_to=0)
    return FakeEngine(as_it_is, outputs={"boxes": np.float32(boxes).reshape(-1, 4), "scores": scores})


class Eager(Cameras):
    """Another node of the process has the camera already, and a frame comes at once."""

    def listen(self, node: SignsNode, transport: str) -> None:
        node.on_picture(Picture(image(solid(RED), stamp=1)))
        super().listen(node, transport)


def test_a_frame_that_comes_while_the_node_subscribes_is_paired(peer, spin):
    given = [Parameter("model", value="signs.onnx"), Parameter("boxes", value="rois")]
    classify = SignClassifier(FakeEngine(SIGNS))
    node = SignsNode(load=lambda *_, **__: classify, cameras=Eager(), parameter_overrides=given)
    spin(node)
    assert peer.transition("signs", Transition.TRANSITION_CONFIGURE)
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    detections = peer.collect(Detection2DArray, "signs/detections")
    send = peer.sender(Detection2DArray, "rois")
    send(rois(1, (20.0, 20.0, 10.0, 10.0)))
    peer.until(lambda: detections, "what the boxes show")


def test_fifty_signs_are_read_in_one_call(peer, spin):
    boxes = [
        (30.0 * (i % 10), 40.0 * (i // 10), 30.0 * (i % 10) + 25, 40.0 * (i // 10) + 30) for i in range(50)
    ]
    find, classify = found(*boxes), FakeEngine(SIGNS)
    follow(peer, spin, find, classify)
    answers = Answers(peer)

    for stamp in (1, 2):
        detections = answers.to(image(street(), stamp=stamp)).detections
        assert sorted(int(one.id) for one in detections) == list(range(1, 51))
    assert classify.batches == [50, 50] and find.batches == [1, 1]
    assert len(answers.classifications[1].results) == 50
    peer.until(lambda: len(answers.events) == 50, "fifty signs to come")
    peer.health("signs", lambda status: values(status)["tracks"] == "50")


def test_a_camera_without_stamps_is_followed_by_when_its_frames_arrive(
    peer, start, signs_model, detector_model
):
    start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    answers = Answers(peer)

    def unstamped(frame: np.ndarray) -> Image:
        message = image(frame)
        message.header.stamp.sec = message.header.stamp.nanosec = 0
        return message

    for _ in range(3):
        answers.to(unstamped(street(NEAR_GREEN)))
        peer.spin(0.15)
    end = time.monotonic() + 3.0
    while len(answers.events) < 2 and time.monotonic() < end:
        answers.to(unstamped(street()))
        peer.spin(0.15)

    assert changes(answers.events) == [(0, "1", "1", True), (0, "1", "1", False)]
    assert {one.id for array in answers.detections for one in array.detections} == {"1"}
    assert answers.detections[0].header.stamp.sec == 0


def test_when_a_bag_begins_again_signs_leave_and_others_come(peer, start, signs_model, detector_model):
    start("signs", f"model:={signs_model}", f"detector:={detector_model}")
    answers = Answers(peer)

    for stamp in (100, 101, 1, 2):
        answers.to(image(street(NEAR_GREEN), stamp=stamp))
    peer.until(lambda: len(answers.events) == 3, "three events")

    assert changes(answers.events) == [
        (101, "1", "1", True),
        (1, "1", "1", False),
        (2, "2", "1", True),
    ]


def test_what_was_in_view_before_a_pause_has_left_after_it(peer, spin):
    follow(peer, spin, found((10.0, 10.0, 60.0, 60.0)), FakeEngine(SIGNS))
    answers = Answers(peer)
    for stamp in (1, 2):
        answers.to(image(street(), stamp=stamp))
    assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
    peer.health("signs", lambda status: values(status)["state"] == "inactive")
    assert peer.transition("signs", Transition.TRANSITION_ACTIVATE)
    peer.health("signs", lambda status: values(status)["state"] == "active")
    peer.until(lambda: peer.node.count_subscribers("image_raw"), "the node to subscribe again")
    peer.spin(1.0)
    answers.to(image(street(), stamp=3))
    peer.until(lambda: len(answers.events) == 2, "the sign to leave")
    assert changes(answers.events) == [(2, "1", "0", True), (3, "1", "0", False)]


def test_clean_up_closes_both_models_and_what_is_loaded_cannot_be_changed(peer, spin):
    find, classify = found(), FakeEngine(SIGNS)
    follow(peer, spin, find, classify)
    for name, value in (("boxes", "frame"), ("detector", "other.onnx")):
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        refused = peer.call(SetParameters, "/signs/set_parameters", request).results[0]
        assert not refused.successful and f"{name}: a model is loaded" in refused.reason
    assert peer.transition("signs", Transition.TRANSITION_DEACTIVATE)
    assert peer.transition("signs", Transition.TRANSITION_CLEANUP)
    assert find.is_closed and classify.is_closed


def test_a_detector_that_cannot_be_used_ends_start_up_and_the_remedy_is_named(
    start, signs_model, detector_model, segmentation_model, tmp_path
):
    wrong_width = write_model(tmp_path / "wide.onnx", SIGNS, width=4)
    for parameters, problem in (
        (("detector:=/nowhere/sign_detector.onnx",), "/nowhere/sign_detector.onnx: no such file"),
        ((f"detector:={signs_model}",), "for 'signs'; set detector to one for 'sign_detection'"),
        ((f"model:={detector_model}",), "for 'sign_detection'; set model to one for 'signs'"),
        ((f"model:={wrong_width}", f"detector:={detector_model}"), "3 labels, but 'scores' is 4 wide"),
        (("use_rois:=true",), "parameter 'use_rois' is no more; set boxes to rois"),
        (("use_rois:=false",), "parameter 'use_rois' is no more; set boxes to rois"),
        (("boxes:=tracker",), "boxes is 'tracker'; it must be one of detector, rois, frame"),
    ):
        model = () if any("model:=" in word for word in parameters) else (f"model:={signs_model}",)
        code, output = start("signs", *model, *parameters).ended()
        assert code == 1 and "Traceback" not in output
        assert problem in output.strip().splitlines()[-1]
