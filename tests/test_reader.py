from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import perception
from perception.engines.fake import FakeEngine
from perception.errors import DeviceError, FrameError
from perception.model import ReadsBoxes
from perception.reader import SignFollower, SignReader
from perception.signs import SignClassifier, Signs
from perception.tracking import Tracks
from tests.conftest import DETECTION, SIGNS, solid
from tests.test_detection import fake, frame_with

TWO = frame_with(("Red", (20, 30, 50, 60)), ("Blue", (100, 10, 110, 20)))
PERIOD_NS = 100_000_000


@pytest.fixture
def read(detector_model: Path, signs_model: Path) -> SignReader:
    find, classify = perception.load(detector_model), perception.load(signs_model)
    assert isinstance(find, perception.SignDetector)
    assert isinstance(classify, perception.SignClassifier)
    return SignReader(find, classify)


def follower(model: SignReader, boxes: Literal["detector", "rois", "frame"] = "detector") -> SignFollower:
    return SignFollower(model, perception.SignTracker(model.spec), boxes)


def test_every_sign_that_is_found_is_read(read: SignReader) -> None:
    signs = read(TWO)
    assert {(sign.label, sign.box) for sign in signs} == {
        ("Red", (20, 30, 50, 60)),
        ("Blue", (100, 10, 110, 20)),
    }
    assert all(signs)
    assert read.read(TWO) == signs
    assert list(signs.latency_ms) == [
        "find prepare",
        "find infer",
        "find finish",
        "prepare",
        "infer",
        "finish",
    ]
    assert signs[0].latency_ms == signs.latency_ms


def test_the_surest_box_comes_first_with_its_score() -> None:
    find = fake([[5, 5, 15, 15], [20, 30, 50, 60]], [0.4, 0.875])
    engine = FakeEngine(SIGNS)
    signs = SignReader(find, SignClassifier(engine))(TWO)
    assert [(sign.box, sign.found) for sign in signs] == [
        ((20, 30, 50, 60), pytest.approx(0.875)),
        ((5, 5, 15, 15), pytest.approx(0.4)),
    ]
    assert engine.batches == [2]  # one call for all boxes


def test_boxes_that_somebody_gave_are_read_as_by_the_classifier(read: SignReader) -> None:
    boxes = [[100, 10, 110, 20]]
    assert isinstance(read, ReadsBoxes)
    assert [(sign.label, sign.found) for sign in read.classify_boxes(TWO, boxes)] == [("Blue", 1.0)]
    assert read.classify_boxes(solid("Red"), None)[0].box is None


def test_a_frame_without_signs_costs_no_call_of_the_classifier() -> None:
    engine = FakeEngine(SIGNS)
    signs = SignReader(fake([], []), SignClassifier(engine))(TWO)
    assert len(signs) == 0
    assert engine.batches == []
    assert list(signs.latency_ms) == ["find prepare", "find infer", "find finish"]


def test_fifty_signs_of_a_frame_are_all_read() -> None:
    corner = np.array([(15 * (number % 10), 20 * (number // 10)) for number in range(50)])
    boxes = np.hstack([corner, corner + 12])
    engine = FakeEngine(SIGNS)
    signs = SignReader(fake(boxes, np.linspace(0.9, 0.4, 50)), SignClassifier(engine))(TWO)
    assert len(signs) == 50
    assert engine.batches == [50]


def test_two_signs_on_one_post_are_two(read: SignReader) -> None:
    signs = read(frame_with(("Red", (40, 10, 60, 30)), ("Green", (40, 30, 60, 50))))
    assert sorted((sign.label, sign.box) for sign in signs) == [
        ("Green", (40, 30, 60, 50)),
        ("Red", (40, 10, 60, 30)),
    ]


@pytest.mark.parametrize("side", [2, 4, 8, 11])
def test_a_tiny_sign_is_read(read: SignReader, side: int) -> None:
    (sign,) = read(frame_with(("Green", (70, 50, 70 + side, 50 + side))))
    assert (sign.label, sign.box) == ("Green", (70, 50, 70 + side, 50 + side))


def test_a_sign_cut_by_the_border_is_read(read: SignReader) -> None:
    (sign,) = read(frame_with(("Green", (0, 90, 6, 100))))
    assert (sign.label, sign.box) == ("Green", (0, 90, 6, 100))


def test_grey_frames_show_no_sign(read: SignReader) -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (100, 150, 1), np.uint8), 3, axis=2)
    assert len(read(grey)) == 0


def test_a_reader_has_the_spec_of_its_classifier_and_closes_both(read: SignReader) -> None:
    assert (read.spec, read.device) == (SIGNS, "cpu")
    with read:
        pass
    with pytest.raises(DeviceError, match=r"sign_detector\.onnx: the model is closed"):
        read(TWO)
    with pytest.raises(DeviceError, match=r"signs\.onnx: the model is closed"):
        read.classify_boxes(TWO, None)


def test_a_bad_frame_is_refused(read: SignReader) -> None:
    with pytest.raises(FrameError):
        read(TWO[..., 0])
    following = follower(read)
    with pytest.raises(FrameError):
        following.follow(TWO[..., 0], None, 0)


def test_signs_of_a_stream_keep_their_ids(read: SignReader) -> None:
    following = follower(read)
    seen = []
    for number in range(6):
        frame = frame_with(("Red", (20 + number, 30, 50 + number, 60)), ("Blue", (100, 10, 120, 30)))
        tracks = following.follow(frame, None, number * PERIOD_NS)
        assert isinstance(tracks, Tracks)
        seen.append({track.label: track.id for track in tracks})
    assert seen[-1] == seen[1]
    assert len(set(seen[-1].values())) == 2
    assert {track.label for track in tracks.current} == {"Red", "Blue"}
    assert "find infer" in tracks.latency_ms
    following.reset()
    after = following.follow(frame, None, 0)
    assert isinstance(after, Tracks)
    assert not {track.id for track in after} & set(seen[-1].values())


def test_boxes_of_others_are_followed_in_their_order(read: SignReader) -> None:
    following = follower(read, "rois")
    boxes = [[100, 10, 110, 20], [20, 30, 50, 60]]
    for number in range(3):
        tracks = following.follow(TWO, boxes, number * PERIOD_NS)
    assert isinstance(tracks, Tracks)
    assert [track.label for track in tracks.seen if track] == ["Blue", "Red"]
    assert [sign.found for sign in tracks.signs] == [1.0, 1.0]
    nothing = following.follow(TWO, [], 3 * PERIOD_NS)
    assert isinstance(nothing, Tracks)
    assert nothing.seen == ()


def test_whole_frames_are_read_and_not_followed(read: SignReader) -> None:
    following = follower(read, "frame")
    signs = following.follow(solid("Red"), [[0, 0, 9, 9]], 0)
    assert isinstance(signs, Signs)
    assert [(sign.label, sign.box) for sign in signs] == [("Red", None)]
    assert isinstance(follower(read, "rois").follow(solid("Red"), None, 0), Signs)


def test_a_follower_needs_a_detector_to_find(signs_model: Path) -> None:
    classify = perception.load(signs_model)
    assert isinstance(classify, perception.SignClassifier)
    tracker = perception.SignTracker(SIGNS)
    with pytest.raises(ValueError, match="give a SignReader"):
        SignFollower(classify, tracker)
    with pytest.raises(ValueError, match="boxes is 'all'; it must be one of detector, rois, frame"):
        SignFollower(classify, tracker, "all")  # type: ignore[arg-type]
    SignFollower(classify, tracker, "rois")


def test_a_sign_read_without_a_detector_was_found_for_certain(signs_model: Path) -> None:
    sign = perception.load(signs_model)(solid("Red"))
    assert isinstance(sign, perception.Sign)
    assert sign.found == 1.0
    assert replace(sign, found=0.5).found == 0.5


def test_what_the_detector_is_sure_of_is_not_what_the_classifier_knows() -> None:
    find = perception.SignDetector(FakeEngine(DETECTION))
    read = SignReader(find, SignClassifier(FakeEngine(SIGNS)))
    assert len(read(solid("Red"))) == 0


@pytest.mark.parametrize(
    ("found", "known", "is_known"),
    [(0.9, 0.6, True), (0.35, 0.7, True), (0.35, 0.6, False), (0.9, 0.4, False)],
)
def test_what_hardly_looks_like_a_sign_must_read_the_more_like_one(
    found: float, known: float, is_known: bool
) -> None:
    outputs = {"scores": np.array([0, 1, 0], np.float32), "known": np.array(known, np.float32)}
    classify = SignClassifier(FakeEngine(SIGNS, outputs=outputs))
    (sign,) = SignReader(fake([[20, 30, 50, 60]], [found]), classify)(TWO)
    assert bool(sign) == is_known
    assert sign.known == pytest.approx(known)
