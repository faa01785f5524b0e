"""Boxes become corners, turned ones too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perception.boxes import Roi, clip, corners, crop, pairs, rois, upright, whole
from perception.errors import FrameError
from tests.bags import rois as message


def test_a_turned_box_gives_the_upright_one_around_it() -> None:
    detections = message([(10.0, 10.0, 30.0, 20.0, "")] * 2, 0).detections
    detections[1].bbox.center.theta = math.pi / 2
    np.testing.assert_allclose(corners(rois(detections)), [[10, 10, 30, 20], [15, 5, 25, 25]])
    detections[0].bbox.center.theta, detections[1].bbox.center.theta = -math.pi / 4, math.pi
    half = 15 / math.sqrt(2)
    wanted = [[20 - half, 15 - half, 20 + half, 15 + half], [10, 10, 30, 20]]
    np.testing.assert_allclose(corners(rois(detections)), wanted)
    assert corners([]).shape == (0, 4)


def test_more_boxes_than_a_frame_may_have_are_refused() -> None:
    box = Roi(20.0, 15.0, 20.0, 10.0, 0.0, "")
    assert len(corners([box] * 256)) == 256
    with pytest.raises(FrameError, match="at most 256") as caught:
        corners([box] * 257)
    assert caught.value.reason == "box"


def test_the_box_of_a_whole_frame_has_its_corners() -> None:
    assert corners([whole((30, 50))]).tolist() == [[0.0, 0.0, 50.0, 30.0]]


def test_a_box_of_corners_has_them_again() -> None:
    assert corners([upright((3.0, 4.0, 10.0, 20.0), "7")]).tolist() == [[3.0, 4.0, 10.0, 20.0]]
    assert upright((3.0, 4.0, 10.0, 20.0), "7").id == "7"


def test_boxes_that_overlap_most_are_pairs_and_each_is_in_one_only() -> None:
    first = np.array([[0.0, 0, 10, 10], [8, 0, 18, 10], [50, 50, 60, 60], [90, 90, 90, 90]])
    second = np.array([[6.0, 0, 16, 10], [0, 0, 10, 9], [50, 50, 60, 54], [90, 90, 90, 90]])
    # The first of these overlaps two, by 0.9 and by 4 of 16; the third by 0.4; the fourth has no area.
    assert pairs(first, second, 0.2) == {0: 1, 1: 0, 2: 2}
    assert pairs(first, second, 0.5) == {0: 1, 1: 0}
    assert pairs(first, second[:1], 0.2) == {1: 0}
    assert pairs(first[:0], second, 0.5) == pairs(first, second[:0], 0.5) == {}


def test_a_box_is_cut_at_each_side_of_the_frame_and_may_end_there() -> None:
    assert clip([(-3, -4, 60, 40), (49, 29, 50, 30)], 30, 50) == [(0, 0, 50, 30), (49, 29, 50, 30)]


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((10.0, 5.0, 14.0, 8.0), (5, 8), (10, 14)),
        ((10.9, 5.9, 12.1, 8.1), (5, 9), (10, 13)),  # every pixel that it touches
        ((10.2, 5.2, 10.4, 5.4), (5, 7), (10, 12)),  # at least two
        ((49.0, 29.0, 50.0, 30.0), (28, 30), (48, 50)),  # within the frame
        ((0.0, 0.0, 50.0, 30.0), (0, 30), (0, 50)),
    ],
)
def test_a_crop_has_the_pixels_of_its_box(
    box: tuple[float, float, float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    frame = np.arange(30 * 50 * 3).reshape(30, 50, 3).astype(np.uint8)
    assert np.array_equal(crop(frame, box, margin=0.0), frame[slice(*rows), slice(*columns)])


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.2, 0.2, 0.5, 0.9), (10.0, 10.0, 30.0, 10.9)])
def test_a_box_under_a_pixel_is_taken_for_shares(box: tuple) -> None:
    with pytest.raises(FrameError, match=r"are these shares of the picture\?.* 60x40") as caught:
        clip([(5.0, 5.0, 20.0, 20.0), box], 40, 60)
    assert caught.value.reason == "box"


def test_a_box_of_a_pixel_and_one_cut_to_less_at_the_border_are_used() -> None:
    boxes = [(10.0, 10.0, 11.0, 11.0), (59.5, 10.0, 70.0, 20.0), (0.0, 0.0, 1.5, 1.5)]
    assert clip(boxes, 40, 60) == [boxes[0], (59.5, 10.0, 60.0, 20.0), boxes[2]]
