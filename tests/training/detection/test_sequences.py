"""A drive made out of one picture looks as one of a real camera, and its boxes are where the signs are."""

from __future__ import annotations

import numpy as np
import pytest

from perception.boxes import overlaps
from tests.training.detection.drives import BOXES, COLORS_BGR, LABELS, picture
from training.detection.sequences import Shot, sequence, size_px

SIGNS = ("Stop", "Keep right")


def drive(seed: int) -> list[Shot]:
    return list(sequence(picture(0), BOXES, SIGNS, target=0, seed=seed))


@pytest.fixture(scope="module")
def drives() -> list[list[Shot]]:
    return [drive(seed) for seed in range(6)]


def test_the_same_seed_makes_the_same_drive(drives: list[list[Shot]]) -> None:
    again = drive(3)
    assert [shot.stamp_ns for shot in again] == [shot.stamp_ns for shot in drives[3]]
    assert all(
        (a.frame == b.frame).all() and a.signs == b.signs for a, b in zip(again, drives[3], strict=True)
    )
    assert [shot.stamp_ns for shot in drives[4]] != [shot.stamp_ns for shot in drives[3]]


def test_boxes_are_where_the_signs_are(drives: list[list[Shot]]) -> None:
    checked = 0
    for shot in (shot for shots in drives for shot in shots):
        if shot.blur_px >= 1.5 or not 0.9 < shot.gain < 1.1:
            continue
        for true in (true for true in shot.signs if true.visible == 1.0):
            x1, y1, x2, y2 = true.box
            inner = shot.frame[round(y1 + 2) : round(y2 - 2), round(x1 + 2) : round(x2 - 2)]
            color = COLORS_BGR[LABELS.index(true.label)]
            assert np.abs(inner.mean(axis=(0, 1)) - color).max() < 30
            outside = shot.frame[round((y1 + y2) / 2), max(0, round(x1 - 3))].astype(int)
            assert np.abs(outside - color).max() > 60 or x1 < 4
            checked += 1
    assert checked > 150


def test_the_sign_grows_as_in_an_approach_and_then_leaves(drives: list[list[Shot]]) -> None:
    for shots in drives:
        sizes = [
            size_px(true.box) for shot in shots for true in shot.signs if true.id == 0 and true.visible == 1
        ]
        assert sizes[0] < 30 and max(sizes) > 60
        assert np.diff(sizes).min() > -2.0  # it only grows
    gone = [all(true.id != 0 or true.visible < 0.5 for true in shots[-1].signs) for shots in drives]
    assert sum(gone) >= 4


def test_frames_come_at_irregular_intervals_and_some_are_missing(drives: list[list[Shot]]) -> None:
    rates = []
    for shots in drives:
        intervals = np.diff([shot.stamp_ns for shot in shots]) / 1e9
        assert (intervals > 0).all() and intervals.std() > 0.005
        assert intervals.max() > 0.2  # the stall
        rates.append(1 / np.median(intervals))
    assert all(8 < rate < 41 for rate in rates)


def test_there_are_blur_exposure_steps_and_something_that_passes(drives: list[list[Shot]]) -> None:
    shots = [shot for shots in drives for shot in shots]
    blurred = [shot for shot in shots if shot.blur_px >= 3]
    assert 0.02 < len(blurred) / len(shots) < 0.6
    assert any(shot.gain < 0.6 for shot in shots) and any(shot.gain > 1.5 for shot in shots)
    dark = next(shot for shot in shots if shot.gain < 0.5)
    assert dark.frame.mean() < 0.7 * shots[0].frame.mean()
    middle = [
        t.visible for shot in shots for t in shot.signs if t.box[0] > 5 and t.box[2] < 235 and t.box[1] > 5
    ]
    assert min(middle) < 0.2  # hidden, not cut by the border


def test_a_blurred_frame_is_smooth(drives: list[list[Shot]]) -> None:
    def roughness(shot: Shot) -> float:
        return float(np.abs(np.diff(shot.frame.astype(float), axis=0)).mean())

    shots = [shot for shots in drives for shot in shots if 0.9 < shot.gain < 1.1]
    sharp = [roughness(shot) for shot in shots if shot.blur_px < 1.5]
    bumped = [roughness(shot) for shot in shots if shot.blur_px >= 2.5]
    assert np.median(bumped) < 0.8 * np.median(sharp)


def test_overlap_of_boxes() -> None:
    boxes = np.array([(5, 0, 15, 10), (10, 0, 20, 10)])
    assert overlaps(np.array([(0, 0, 10, 10)]), boxes)[0].tolist() == pytest.approx([1 / 3, 0.0])
    assert size_px((0, 0, 4, 9)) == 6.0
