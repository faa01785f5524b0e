import numpy as np
import pytest

import perception
from perception.boxes import clip
from perception.detection import Boxes, SignDetector, rescale, scale_factor
from perception.draw import KNOWN, Mark, overlay_boxes
from perception.engines.fake import FakeEngine
from perception.errors import FrameError, WrongTaskError
from perception.spec import ModelSpec
from tests.conftest import DETECTION, PALETTE, SIGNS, solid


def frame_with(
    *signs: tuple[str, tuple[int, int, int, int]], height: int = 100, width: int = 150
) -> np.ndarray:
    """A grey frame with coloured rectangles, each at (x1, y1, x2, y2)."""
    frame = solid("grey", height, width)
    for color, (x1, y1, x2, y2) in signs:
        frame[y1:y2, x1:x2] = solid(color, y2 - y1, x2 - x1)
    return frame


def fake(boxes: object, scores: object, spec: ModelSpec = DETECTION) -> SignDetector:
    outputs = {"boxes": np.array(boxes, np.float32).reshape(-1, 4), "scores": np.array(scores, np.float32)}
    return SignDetector(FakeEngine(spec, outputs=outputs))


@pytest.fixture(scope="module")
def find(detector_model) -> SignDetector:
    model = perception.load(detector_model)
    assert isinstance(model, SignDetector)
    return model


def test_boxes_are_in_pixels_of_the_frame_that_was_given(find: SignDetector) -> None:
    boxes = find(frame_with(("Red", (20, 30, 50, 45)), ("Blue", (100, 1, 110, 99))))
    assert sorted(boxes.xyxy.tolist()) == [[20, 30, 50, 45], [100, 1, 110, 99]]
    assert set(boxes.latency_ms) == {"prepare", "infer", "finish"}


@pytest.mark.parametrize(("height", "width"), [(70, 100), (30, 40), (20, 24), (60, 25), (7, 5), (300, 400)])
def test_boxes_of_a_frame_that_was_scaled_are_in_its_own_pixels(
    find: SignDetector, height: int, width: int
) -> None:
    assert scale_factor((height, width), find.spec.enlarge_to) != 1
    box = (width // 4, height // 4, width // 4 + width // 3 + 1, height // 4 + height // 3 + 1)
    boxes = find(frame_with(("Red", box), height=height, width=width))
    np.testing.assert_allclose(boxes.xyxy, [box], atol=0.5)


@pytest.mark.parametrize(("height", "width"), [(1, 2), (2, 1), (3, 5000), (5000, 3), (33, 47), (64, 96)])
def test_any_size_of_frame_is_taken(find: SignDetector, height: int, width: int) -> None:
    boxes = find(solid("Red", height, width))
    if min(height, width) > 1:
        assert boxes.xyxy.tolist() == [[0, 0, width, height]]
    clip(boxes.xyxy, height, width)  # refuses what a classifier cannot read


def test_a_frame_without_signs_has_no_boxes(find: SignDetector) -> None:
    boxes = find(solid("grey"))
    assert len(boxes) == 0
    assert (boxes.xyxy.shape, boxes.scores.shape) == ((0, 4), (0,))
    assert np.array_equal(boxes.overlay(solid("grey")), solid("grey"))


def test_fifty_boxes_come_best_first_and_read_only() -> None:
    random = np.random.default_rng(0)
    corner = np.array([(15 * (number % 10), 20 * (number // 10)) for number in range(50)])
    scores = random.uniform(0.31, 1, 50)
    boxes = fake(np.hstack([corner, corner + 12]), scores)(solid("grey", 100, 150))
    assert boxes.scores.tolist() == sorted(scores.astype(np.float32).tolist(), reverse=True)
    best = int(scores.argmax())
    np.testing.assert_allclose(boxes.xyxy[0], [*corner[best], *corner[best] + 12], rtol=1e-6)
    assert boxes.xyxy.dtype == boxes.scores.dtype == np.float32
    for array in (boxes.xyxy, boxes.scores):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_scores_below_the_threshold_of_the_file_are_left_out() -> None:
    four = [[20 * number, 0, 20 * number + 9, 9] for number in range(4)]
    scores = [0.31, np.float32(0.3), 0.29, 0.0]
    assert len(fake(four, scores)(solid("grey"))) == 2
    all_of_them = ModelSpec("sign_detection", ("sign",), PALETTE[:1], (64, 96), stride=16)
    assert len(fake(four, scores, all_of_them)(solid("grey"))) == 3  # a score of 0 is nothing at all


def test_nothing_is_found_in_the_padding() -> None:
    spec = ModelSpec("sign_detection", ("sign",), PALETTE[:1], (64, 96), stride=16)
    inside, over_the_edge, beyond = [60, 40, 70, 50], [90, 60, 104, 70], [101, 66, 110, 78]
    mostly_beyond, below = [95, 40, 105, 50], [10, 62, 20, 75]
    all_of_them = [beyond, over_the_edge, mostly_beyond, below, inside]
    found = fake(all_of_them, [0.9, 0.8, 0.8, 0.8, 0.7], spec)(solid("grey", 67, 99))
    assert found.xyxy.tolist() == [[90, 60, 99, 67], inside]
    assert found.scores.tolist() == pytest.approx([0.8, 0.7])


def test_boxes_that_are_no_boxes_are_dropped() -> None:
    bad = [
        [np.nan, 0, 9, 9],
        [0, 0, np.inf, 9],
        [9, 9, 0, 0],
        [5, 5, 5.5, 20],
        [5, 5, 20, 5.9],
        [-30, 0, 10, 20],
        [-np.inf, 0, np.inf, 9],
    ]
    assert len(fake(bad, [0.9] * len(bad))(solid("grey", 100, 150))) == 0
    assert len(fake([[0, 0, 9, 9]], [np.nan])(solid("grey", 100, 150))) == 0
    assert len(fake([[5, 5, 6, 6]], [0.9])(solid("grey", 100, 150))) == 1  # the smallest that can be read


def test_a_large_sign_that_is_found_at_several_points_is_one() -> None:
    """Only the best is left; what lies in a box that was itself dropped is not dropped for it."""
    one = [[10, 10, 50, 50], [14, 12, 52, 54], [8, 20, 48, 58], [20, 20, 40, 40]]
    boxes = fake(one, [0.6, 0.9, 0.5, 0.4])(solid("grey", 100, 150))
    assert boxes.xyxy.tolist() == [[14, 12, 52, 54]]
    chain = [[0, 0, 40, 20], [14, 0, 54, 20], [28, 0, 68, 20]]
    boxes = fake(chain, [0.9, 0.8, 0.7])(solid("grey", 100, 150))
    assert boxes.xyxy.tolist() == [chain[0], chain[2]]


def test_signs_that_touch_or_hide_a_part_of_each_other_are_two() -> None:
    two = [[10, 10, 50, 50], [10, 48, 50, 88], [30, 10, 70, 50]]
    boxes = fake(two, [0.9, 0.8, 0.7])(solid("grey", 100, 150))
    assert boxes.xyxy.tolist() == two


def test_a_sign_cut_by_the_border_is_cut_there() -> None:
    found = fake([[-4, -3, 20, 20], [130, 80, 160, 105]], [0.9, 0.8])(solid("grey", 100, 150))
    assert found.xyxy.tolist() == [[0, 0, 20, 20], [130, 80, 150, 100]]


def test_what_is_added_at_the_right_and_below_is_black(find: SignDetector) -> None:
    batch = find.prepare(solid("Red", 90, 98))
    assert batch.shape == (1, 96, 112, 3)
    assert batch.flags.c_contiguous
    assert (batch[0, :90, :98] == solid("Red", 90, 98)).all()
    assert not batch[0, 90:].any()
    assert not batch[0, :, 98:].any()


@pytest.mark.parametrize(
    ("size_hw", "factor"),
    [
        ((800, 1360), 1),
        ((720, 1280), 1),  # nearly as many pixels
        ((1080, 1920), 1),
        ((1520, 2688), 1),
        ((480, 640), 1.88),
        ((640, 480), 1.88),
        ((270, 512), 2.8),
        ((120, 160), 4),
        ((1, 2), 4),
        ((2160, 3840), 0.724),
    ],
)
def test_small_frames_are_enlarged_and_huge_ones_shrunk(size_hw: tuple[int, int], factor: float) -> None:
    assert scale_factor(size_hw, 800 * 1360) == pytest.approx(factor, abs=0.01)
    assert scale_factor(size_hw, 0) == 1
    assert rescale(np.zeros((*size_hw, 3), np.uint8), 800 * 1360).shape == (
        pytest.approx(factor * size_hw[0], abs=3),
        pytest.approx(factor * size_hw[1], abs=5),
        3,
    )


def test_no_frame_becomes_larger_than_those_that_were_learnt_from_but_huge_ones() -> None:
    for height in range(100, 1600, 77):
        for width in range(100, 1600, 77):
            pixels = height * width * scale_factor((height, width), 800 * 1360) ** 2
            assert pixels <= max(800 * 1360 * 1.001, height * width)
    assert 9000 * 7000 * scale_factor((7000, 9000), 800 * 1360) ** 2 == pytest.approx(4 * 800 * 1360)


def test_a_model_of_one_size_gets_that_size() -> None:
    spec = ModelSpec("sign_detection", ("sign",), PALETTE[:1], (50, 200))
    find = fake([[20, 10, 60, 20]], [0.9], spec)
    assert find.prepare(solid("Red", 100, 100)).shape == (1, 50, 200, 3)
    assert find(solid("Red", 100, 100)).xyxy.tolist() == [[10, 20, 30, 40]]


def test_bad_frames_are_refused(find: SignDetector) -> None:
    with pytest.raises(FrameError):
        find(np.zeros((8, 8), np.uint8))
    with pytest.raises(FrameError):
        find(np.zeros((8, 8, 3), np.float32))


def test_a_view_of_a_frame_is_found_as_its_copy_is(find: SignDetector) -> None:
    frame = frame_with(("Green", (20, 30, 50, 45)))
    views = frame[:, ::-1], frame[5:, 7:], np.asfortranarray(frame)
    for view in views:
        assert find(view).xyxy.tolist() == find(view.copy()).xyxy.tolist() != []


def test_the_overlay_shows_each_box_and_its_score() -> None:
    frame = solid("grey", 100, 150)
    boxes = Boxes(np.array([[20, 30, 60, 70]], np.float32), np.array([0.968], np.float32))
    picture = boxes.overlay(frame)
    assert (picture[30, 20:60] != frame[30, 20:60]).any(axis=1).all()
    assert (picture[72:, :] != frame[72:, :]).any() or (picture[:28] != frame[:28]).any()
    assert (frame == solid("grey", 100, 150)).all()
    mark = Mark((20, 30, 60, 70), "96%", KNOWN)  # rounded down, as a sign's
    assert np.array_equal(picture, overlay_boxes(frame, [mark]))


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(WrongTaskError, match="SignDetector cannot use a model for 'signs'"):
        SignDetector(FakeEngine(SIGNS))
