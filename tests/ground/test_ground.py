"""Corridor, lane and stop line of exact masks are where the track has them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from perception.segmentation import RoadMask
from tests.ground.tracks import LABELS, PALETTE, TAPE_M, across, arc, camera, ground, lane, left_m, mask, tape
from training.datasets.tracks import things
from training.datasets.tracks.lines import normals
from training.datasets.tracks.things import Thing

CAMERAS = [
    camera(),
    camera((240, 320), view=1.2, height_m=0.12, pitch=0.25, roll=0.03),
    camera((240, 320), view=2.2, wide=0.95, height_m=0.22, pitch=0.4),
]


@pytest.mark.parametrize("seen_by", CAMERAS)
@pytest.mark.parametrize(
    ("right_m", "heading", "bend"), [(0.0, 0.0, 0.0), (0.05, -0.1, 0.4), (-0.06, 0.08, -0.3)]
)
def test_a_lane_is_where_the_track_has_it(seen_by, right_m: float, heading: float, bend: float) -> None:
    middle = arc(right_m, heading, bend)
    seen = mask(seen_by, lane(middle))
    found = ground(seen_by).corridor(seen).lane(0.5)
    assert found is not None
    assert found.offset_m == pytest.approx(left_m(middle, 0.5), abs=0.01)
    ahead = [left_m(middle, 0.49), left_m(middle, 0.51)]
    assert found.heading_rad == pytest.approx(np.arctan2(ahead[1] - ahead[0], 0.02), abs=0.05)
    assert found.width_m == pytest.approx(0.37 - TAPE_M, abs=0.02)


@pytest.mark.parametrize("seen_by", CAMERAS)
@pytest.mark.parametrize("ahead_m", [0.35, 0.5])
def test_a_stop_line_is_as_far_away_as_the_track_has_it(seen_by, ahead_m: float) -> None:
    middle = arc(0.03, 0.05)
    seen = mask(seen_by, [*lane(middle), across(middle, ahead_m)])
    measured = ground(seen_by)
    found = measured.stop_line(seen, measured.corridor(seen))
    assert found.state == "seen"
    assert found.distance_m == pytest.approx(ahead_m, abs=0.02)


def test_without_a_line_across_there_is_none_and_stripes_are_none() -> None:
    middle = arc()
    seen_by = CAMERAS[1]
    stripes = [tape(np.array([[x, 0.4], [x, 0.5], [x, 0.6]]), 0.04) for x in (-0.12, -0.04, 0.04, 0.12)]
    for strokes in (lane(middle), [*lane(middle), *stripes]):
        seen = mask(seen_by, strokes)
        measured = ground(seen_by)
        assert measured.stop_line(seen, measured.corridor(seen)).state == "none"


def test_dashes_and_a_missing_piece_do_not_move_a_lane() -> None:
    middle = arc(0.02, 0.0, 0.2)
    left, right = lane(middle)
    dashed = replace(left, kept=np.arange(len(left.kept)) % 12 < 6)
    cut = replace(right, kept=(np.arange(len(right.kept)) < 28) | (np.arange(len(right.kept)) > 40))
    found = ground(CAMERAS[1]).corridor(mask(CAMERAS[1], [dashed, cut])).lane(0.5)
    assert found is not None and found.offset_m == pytest.approx(left_m(middle, 0.5), abs=0.015)


def test_with_one_line_the_lane_is_known_only_if_its_width_is() -> None:
    middle = arc(0.0, 0.0, 0.2)
    seen = mask(CAMERAS[1], lane(middle)[:1])
    measured = ground(CAMERAS[1])
    unknown = measured.corridor(seen)
    assert not unknown and unknown.why == "no_edges" and unknown.lane(0.5) is None
    found = measured.corridor(seen, width_m=0.37 - TAPE_M)
    assert found.sides == "left"
    assert found.lane(0.5).offset_m == pytest.approx(left_m(middle, 0.5), abs=0.015)


def test_a_box_in_the_way_ends_the_corridor_and_a_stop_line_does_not() -> None:
    middle = arc()
    faces = things.cuboid(np.array([0.0, 0.85]), 0.0, (0.2, 0.1, 0.1), (10.0, 20.0, 200.0))
    seen = mask(CAMERAS[1], [*lane(middle), across(middle, 0.5)], [Thing(tuple(faces), (0.0, 0.85))])
    found = ground(CAMERAS[1]).corridor(seen)
    assert found.end == "blocked"
    assert found.middle[-1, 0] == pytest.approx(0.8, abs=0.03)


def test_an_unsure_mask_says_nothing() -> None:
    middle = arc()
    seen = mask(CAMERAS[0], [*lane(middle), across(middle, 0.5)])
    unsure = RoadMask(seen.class_ids, np.full_like(seen.confidence, 120), LABELS, PALETTE)
    measured = ground(CAMERAS[0])
    found = measured.corridor(unsure)
    assert not found and found.why == "unsure"
    assert measured.stop_line(unsure, found).state == "unknown"
    assert ground(CAMERAS[0], confidence=0.4).corridor(unsure)


def test_what_the_mask_is_unsure_of_further_on_ends_the_corridor() -> None:
    seen = mask(CAMERAS[0], lane(arc()))
    measured = ground(CAMERAS[0])
    far = measured.floor.places([(79.5, row) for row in range(120)])[:, 0]
    confidence = np.where(far[:, None] < 0.8, np.uint8(250), np.uint8(90)) + np.zeros((1, 160), np.uint8)
    found = measured.corridor(RoadMask(seen.class_ids, confidence, LABELS, PALETTE))
    assert 0.6 < found.middle[-1, 0] < 0.95 and found.lane(0.5) is not None and found.lane(1.0) is None


def test_an_open_floor_has_no_corridor() -> None:
    seen = mask(CAMERAS[0], [])
    assert ground(CAMERAS[0]).corridor(seen).why == "no_edges"


def test_masks_of_the_models_size_give_the_same() -> None:
    middle = arc(0.04)
    seen = mask(CAMERAS[1], lane(middle))
    small = cv2.resize(seen.class_ids, (208, 160), interpolation=cv2.INTER_NEAREST_EXACT)  # stretched
    road = RoadMask(small, np.full_like(small, 255), LABELS, PALETTE)
    measured = ground(CAMERAS[1])
    assert measured.points(road).shape == (160, 208, 3)
    assert measured.corridor(road).lane(0.5).offset_m == pytest.approx(left_m(middle, 0.5), abs=0.01)


def test_a_label_that_the_model_does_not_have_is_named() -> None:
    seen = mask(CAMERAS[0], [])
    with pytest.raises(KeyError, match=r"no label 'Road'; this model has floor, line"):
        ground(CAMERAS[0]).corridor(seen, drivable=("Road",))


def test_the_tracks_of_these_tests_are_straight_across() -> None:
    middle = arc(0.03, 0.05)
    assert normals(middle)[5] == pytest.approx([np.cos(0.05), -np.sin(0.05)])
