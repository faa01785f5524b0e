import pickle
from pathlib import Path

import numpy as np
import pytest

from perception import FrameError, LabelMismatchError, Segmenter, WrongTaskError
from perception.engines import open_engine
from perception.engines.fake import FakeEngine
from perception.segmentation import RoadMask
from tests.conftest import SEGMENTATION, SIGNS, solid


@pytest.fixture(scope="module")
def segment(segmentation_model: Path) -> Segmenter:
    return Segmenter(open_engine(segmentation_model, device="cpu"))


def red_above_blue(height: int, width: int) -> np.ndarray:
    frame = solid("Red", height, width)
    frame[height * 3 // 4 :] = solid("Blue", 1, 1)
    return frame


@pytest.mark.parametrize("size", [(24, 32), (240, 320), (12, 16), (101, 67)])
def test_the_mask_has_the_size_of_the_frame(segment: Segmenter, size: tuple[int, int]) -> None:
    road = segment(red_above_blue(*size))
    assert road.class_ids.shape == road.confidence.shape == size
    assert road.class_ids.dtype == road.confidence.dtype == np.uint8
    assert road.class_ids[0, 0] == 2 and road.class_ids[-1, -1] == 0
    assert set(np.unique(road.class_ids)) <= {0, 1, 2}  # class ids are never mixed
    assert road.confidence[0, 0] == 255


def test_the_mask_at_the_size_of_the_model(segment: Segmenter) -> None:
    assert segment(red_above_blue(240, 320), size="model").class_ids.shape == (24, 32)


def test_another_size_is_refused(segment: Segmenter) -> None:
    with pytest.raises(ValueError, match="'half'"):
        segment(solid("Red", 10, 20), size="half")  # type: ignore[arg-type]


def test_results_travel_to_other_processes(segment: Segmenter) -> None:
    road = segment(solid("Red", 10, 20))
    assert np.array_equal(pickle.loads(pickle.dumps(road)).class_ids, road.class_ids)


def test_shares(segment: Segmenter) -> None:
    road = segment(red_above_blue(240, 320))
    assert road.fraction("Red") == pytest.approx(0.75)
    assert road.fractions() == pytest.approx({"Blue": 0.25, "Green": 0.0, "Red": 0.75})
    assert repr(road) == "RoadMask(320x240, Red 75%, Blue 25%, Green 0%)"


def test_an_unknown_label_lists_the_known_ones(segment: Segmenter) -> None:
    with pytest.raises(KeyError, match="no label 'Moon'; this model has Blue, Green, Red"):
        segment(solid("Red")).fraction("Moon")


def test_each_stage_is_timed(segment: Segmenter) -> None:
    assert list(segment(solid("Red")).latency_ms) == ["prepare", "infer", "finish"]


def test_results_cannot_be_altered_and_do_not_change(segment: Segmenter) -> None:
    first = segment(solid("Red", 24, 32))
    segment(solid("Blue", 24, 32))
    assert (first.class_ids == 2).all()
    with pytest.raises(ValueError, match="read-only"):
        first.class_ids[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        first.confidence[0, 0] = 1


def test_unlabelled_pixels_count_for_no_class() -> None:
    mask = np.zeros((24, 32), np.uint8)
    mask[:12] = 255
    fake = FakeEngine(SEGMENTATION, outputs={"mask": mask, "confidence": mask})
    assert Segmenter(fake)(solid("Red")).fractions() == pytest.approx({"Blue": 0.5, "Green": 0.0, "Red": 0.0})


def test_a_class_id_without_a_label_is_refused() -> None:
    mask = np.full((24, 32), 255, np.uint8)
    mask[3, 3] = 3
    outputs = {"mask": mask, "confidence": mask}
    with pytest.raises(LabelMismatchError, match="class id 3 in the mask, but only 3 labels"):
        Segmenter(FakeEngine(SEGMENTATION, outputs=outputs))(solid("Red"))


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(WrongTaskError, match="Segmenter cannot use a model for 'signs'"):
        Segmenter(FakeEngine(SIGNS))


def test_what_is_no_frame_is_refused(segment: Segmenter) -> None:
    with pytest.raises(FrameError, match=r"cv2\.imread gives None"):
        segment(None)  # type: ignore[arg-type]


def test_an_overlay_shows_frame_and_colours_alike(segment: Segmenter) -> None:
    frame = solid("Red", 240, 320)
    mixed = segment(frame).overlay(frame // 2, legend=False)
    assert np.abs(mixed.astype(int) - (frame // 2 * 0.5 + solid("Red", 240, 320) * 0.5)).max() <= 1


def test_a_mask_of_many_classes_names_the_three_largest() -> None:
    ids = np.repeat(np.arange(4, dtype=np.uint8), (10, 20, 30, 40))[None]
    road = RoadMask(ids, ids, ("a", "b", "c", "d"), ((0, 0, 0),) * 4)
    assert repr(road) == "RoadMask(100x1, d 40%, c 30%, b 20%)"
