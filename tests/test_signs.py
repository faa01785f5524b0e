from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception import FrameError, SignClassifier, WrongTaskError
from perception.engines import open_engine
from perception.engines.fake import FakeEngine
from tests.conftest import SEGMENTATION, SIGNS, solid


@pytest.fixture(scope="module")
def classify(signs_model: Path) -> SignClassifier:
    return SignClassifier(open_engine(signs_model, device="cpu"))


def test_a_whole_frame(classify: SignClassifier) -> None:
    sign = classify(solid("Red", 37, 91))
    assert (sign.class_id, sign.label, sign.box) == (2, "Red", None)
    assert sign.score > 0.99
    assert sign.scores.shape == (3,)
    assert sign


def test_what_is_no_known_sign_is_false(classify: SignClassifier) -> None:
    assert not classify(solid("grey"))


def test_the_threshold_of_the_model_decides_what_is_known() -> None:
    outputs = {"scores": np.array([0, 1, 0], np.float32), "known": np.float32(0.5).reshape(())}
    assert SignClassifier(FakeEngine(SIGNS, outputs=outputs))(solid("Red"))  # at the threshold counts
    outputs["known"] = np.float32(0.49).reshape(())
    assert not SignClassifier(FakeEngine(SIGNS, outputs=outputs))(solid("Red"))


def test_a_sign_reads_well() -> None:
    outputs = {"scores": np.array([0.001, 0.998, 0.001], np.float32), "known": np.float32(0.99).reshape(())}
    sign = SignClassifier(FakeEngine(SIGNS, outputs=outputs))(solid("Green"))
    assert repr(sign) == 'Sign(class_id=1, label="Green", score=0.998, known=0.99)'
    assert sign.caption == "Green 99%"
    assert replace(sign, is_known=False).caption == "unknown"


def test_results_cannot_be_altered(classify: SignClassifier) -> None:
    sign = classify(solid("Red"))
    with pytest.raises(FrozenInstanceError):
        sign.label = "Blue"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        sign.scores[0] = 1.0


def test_frames_of_different_sizes_go_through_in_one_call() -> None:
    fake = FakeEngine(SIGNS)
    signs = SignClassifier(fake).classify([solid("Red", 10, 10), solid("Blue", 200, 50)])
    assert len(signs) == 2
    assert fake.batches == [2]


def test_the_boxes_of_a_frame(classify: SignClassifier) -> None:
    frame = solid("grey", 100, 200)
    frame[10:30, 20:40] = solid("Blue", 20, 20)
    frame[50:80, 150:200] = solid("Green", 30, 50)
    signs = classify.classify_boxes(frame, [(20, 10, 40, 30), (150.4, 50.4, 230, 79.6), (60, 0, 90, 40)])
    assert [sign.label for sign in signs[:2]] == ["Blue", "Green"]
    assert [bool(sign) for sign in signs] == [True, True, False]
    assert signs[1].box == (150.4, 50.4, 200.0, 79.6)  # clipped to the frame
    assert classify.classify_boxes(frame, [(-5, 60, 40, 150)])[0].box == (0.0, 60.0, 40.0, 100.0)
    assert set(signs.latency_ms) == {"prepare", "infer", "finish"}


def test_boxes_are_widened_as_the_training_crops_were() -> None:
    frame = solid("Red", 100, 100)
    frame[40:60, 40:60] = solid("Blue", 1, 1)
    seen = []

    class Watching(FakeEngine):
        def infer(self, frames: np.ndarray) -> Any:
            seen.append(frames[0])
            return super().infer(frames)

    wide = SignClassifier(Watching(replace(SIGNS, box_margin=0.5)))
    assert wide.classify_boxes(frame, [(40, 40, 60, 60)])[0].box == (40, 40, 60, 60)
    inner = (seen[0] == solid("Blue", 1, 1)).all(axis=2)
    assert inner.mean() == pytest.approx(0.25)  # twice as wide and as high as the box
    assert inner[6:10, 6:10].all()
    flat = solid("Red", 100, 100)
    flat[45:55, 30:70] = solid("Blue", 1, 1)
    wide.classify_boxes(flat, [(40, 45, 60, 55)])  # each side by its own length
    assert (seen[-1][4:12] == solid("Blue", 1, 1)).all() and (seen[-1][:4] == solid("Red", 1, 1)).all()
    wide.classify_boxes(frame, [(0, 0, 10, 10), (90, 90, 100, 100)])  # no further than the frame


def test_all_boxes_take_one_engine_call_and_none_takes_none() -> None:
    fake = FakeEngine(SIGNS)
    classify = SignClassifier(fake)
    classify.classify_boxes(solid("Red", 100, 100), np.array([[0, 0, 9, 9]] * 7))
    assert fake.batches == [7]
    nothing = classify.classify_boxes(solid("Red"), [])
    assert len(nothing) == 0 and list(nothing) == []
    assert fake.batches == [7]


@pytest.mark.parametrize("box", [(5.2, 5.2, 6.3, 7.0), (0.1, 0.1, 1.2, 1.2), (59.5, 39.5, 90.0, 90.0)])
def test_a_box_of_a_pixel_still_shows_that_pixel(classify: SignClassifier, box: tuple[float, ...]) -> None:
    assert classify.classify_boxes(solid("Red", 40, 60), [box])[0].label == "Red"


@pytest.mark.parametrize(
    "box",
    [
        (5, 5, 5, 20),
        (20, 5, 10, 20),
        (60, 0, 80, 40),
        (-9, 0, 0, 9),
        (float("nan"), 0, 9, 9),
        (0, 0, float("inf"), 9),
        (1, 2, 3),
    ],
)
def test_a_box_without_area_in_the_frame_is_refused(classify: SignClassifier, box: tuple[float, ...]) -> None:
    with pytest.raises(FrameError) as error:
        classify.classify_boxes(solid("Red", 40, 60), [box])
    assert error.value.reason == "box"


def test_one_frame_where_a_list_belongs_is_explained(classify: SignClassifier) -> None:
    with pytest.raises(FrameError, match="one frame"):
        classify.classify(solid("Red", 40, 40))


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(WrongTaskError, match="SignClassifier cannot use a model for 'segmentation'"):
        SignClassifier(FakeEngine(SEGMENTATION))


def test_a_frame_may_be_a_view_of_another(classify: SignClassifier) -> None:
    frame = solid("Red", 80, 80)
    frame[:, 40:] = 0
    frame.flags.writeable = False
    assert classify(frame[5:70:2, :40]).label == "Red"
    assert classify(frame[:, ::-1][:, 41:]).label == "Red"


def test_two_answers_are_equal_if_they_name_the_same_sign(classify: SignClassifier) -> None:
    frame = solid("Red", 20, 20)
    assert classify.classify([frame]) == classify.classify([frame])  # whatever time each took
    assert classify(frame) != classify(solid("Blue", 20, 20))
    assert "latency" not in repr(classify.classify([frame]))


def test_a_picture_leaves_out_what_is_hardly_a_sign(classify: SignClassifier) -> None:
    frame = solid("grey")
    (sign,) = classify.classify_boxes(frame, [(2, 2, 20, 20)])
    hardly = replace(sign, found=0.1)
    assert (sign.overlay(frame) != frame).any(), "somebody gave the box, so it is drawn"
    assert (hardly.overlay(frame) == frame).all()
    assert (replace(hardly, is_known=True).overlay(frame) != frame).any()
