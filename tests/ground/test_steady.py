"""What is said of the floor stays steady over the frames of a stream, and nothing is guessed."""

from __future__ import annotations

import numpy as np
import pytest

from perception.errors import CameraError
from perception.ground.steady import GroundFollower
from perception.segmentation import RoadMask
from tests.ground.tracks import LABELS, PALETTE, across, arc, camera, ground, lane, left_m, mask

SEEN_BY = camera()
FRAME_NS = 50_000_000


@pytest.fixture(scope="module")
def straight() -> RoadMask:
    return mask(SEEN_BY, lane(arc()))


@pytest.fixture(scope="module")
def aside() -> RoadMask:
    """The same lane, 3 cm further to the right."""
    return mask(SEEN_BY, lane(arc(0.03)))


@pytest.fixture(scope="module")
def nothing() -> RoadMask:
    return mask(SEEN_BY, [])


@pytest.fixture
def follow() -> GroundFollower:
    return GroundFollower(ground(SEEN_BY))


@pytest.mark.parametrize(
    ("ahead_m", "pitch", "words"),
    [
        (
            0.1,
            0.3,
            r"sees the floor from 0\.\d\d to 2\.00 m ahead, and not at the look-ahead distance of 0\.1 m",
        ),
        (2.5, 0.3, r"not at the look-ahead distance of 2\.5 m; set that \(lane_ahead_m\) in between"),
        (0.5, -0.75, r"looking down by -42\.9.*°, it sees no floor up to 2 m ahead; measure"),
    ],
)
def test_a_lane_is_not_looked_for_where_the_camera_sees_no_floor(
    ahead_m: float, pitch: float, words: str
) -> None:
    with pytest.raises(CameraError, match=words):
        GroundFollower(ground(camera(pitch=pitch)), ahead_m=ahead_m)


def test_one_wrong_frame_does_not_move_the_lane_and_a_real_change_does(
    follow: GroundFollower, straight: RoadMask
) -> None:
    wrong = mask(SEEN_BY, lane(arc(0.12)))
    for number in range(4):
        calm = follow.update(straight, number * FRAME_NS)
    jumped = follow.update(wrong, 4 * FRAME_NS)
    assert abs(jumped.lane.offset_m - calm.lane.offset_m) < 0.02
    for number in range(5, 12):
        moved = follow.update(wrong, number * FRAME_NS)
    assert moved.lane.offset_m == pytest.approx(left_m(arc(0.12), 0.5), abs=0.01)


def test_noise_is_halved(follow: GroundFollower, straight: RoadMask, aside: RoadMask) -> None:
    raw, calm = [], []
    for number in range(12):
        seen = aside if number % 2 else straight
        raw.append(follow.ground.corridor(seen).lane(0.5).offset_m)
        calm.append(follow.update(seen, number * FRAME_NS // 5).lane.offset_m)
    assert np.std(calm[4:]) < 0.6 * np.std(raw[4:])


def test_a_lane_that_is_lost_is_held_for_a_moment_and_is_unknown_then(
    follow: GroundFollower, straight: RoadMask, nothing: RoadMask
) -> None:
    follow.update(straight, 0)
    assert follow.update(nothing, 200_000_000).lane is not None
    lost = follow.update(nothing, 350_000_000)
    assert lost.lane is None and not lost.corridor and lost.corridor.why == "no_edges"


def test_nothing_is_known_before_a_lane_was_seen(follow: GroundFollower, nothing: RoadMask) -> None:
    assert follow.update(nothing, 0).lane is None


def test_a_line_that_is_missing_is_as_far_away_as_it_was(follow: GroundFollower, straight: RoadMask) -> None:
    half = mask(SEEN_BY, lane(arc())[:1])
    assert follow.update(half, 0).lane is None
    follow.update(straight, FRAME_NS)
    for number in range(2, 12):
        found = follow.update(half, number * FRAME_NS)
    assert found.corridor.sides == "left"
    assert found.lane.offset_m == pytest.approx(0.0, abs=0.015)


def test_a_stop_line_counts_from_the_second_frame_and_comes_nearer(follow: GroundFollower) -> None:
    said = []
    for number, ahead_m in enumerate((0.60, 0.57, 0.54, 0.51, 0.48)):
        seen = mask(SEEN_BY, [*lane(arc()), across(arc(), ahead_m)])
        said.append(follow.update(seen, number * FRAME_NS).stop_line)
    assert said[0].state == "unknown" and np.isnan(said[0].distance_m)
    assert [line.state for line in said[1:]] == ["seen"] * 4
    assert said[-1].distance_m == pytest.approx(0.48, abs=0.02)


def test_a_stop_line_that_is_lost_goes_on_coming_nearer_and_is_gone_then(
    follow: GroundFollower, straight: RoadMask
) -> None:
    for number, ahead_m in enumerate((0.60, 0.55, 0.50)):  # 1 m/s
        seen = mask(SEEN_BY, [*lane(arc()), across(arc(), ahead_m)])
        follow.update(seen, number * FRAME_NS)
    bridged = follow.update(straight, 3 * FRAME_NS).stop_line
    assert bridged.state == "seen" and bridged.distance_m == pytest.approx(0.45, abs=0.03)
    assert follow.update(straight, 12 * FRAME_NS).stop_line.state == "none"


def test_a_stream_that_begins_anew_is_not_mixed_with_the_last(
    follow: GroundFollower, straight: RoadMask, aside: RoadMask, nothing: RoadMask
) -> None:
    follow.update(straight, 10_000_000_000)
    fresh = follow.update(aside, 0)
    assert fresh.lane.offset_m == pytest.approx(left_m(arc(0.03), 0.5), abs=0.005)
    follow.reset()
    assert follow.update(nothing, 0).lane is None


def test_a_frame_out_of_order_does_not_turn_time_back(follow: GroundFollower, straight: RoadMask) -> None:
    follow.update(straight, 1_000_000_000)
    assert follow.update(straight, 900_000_000).lane is not None
    assert follow.update(straight, 1_050_000_000).lane is not None


def test_what_is_known_is_drawn_into_a_copy(follow: GroundFollower) -> None:
    frame = np.full((240, 320, 3), 128, np.uint8)
    seen = mask(SEEN_BY, [*lane(arc()), across(arc(), 0.5)])
    follow.update(seen, 0)
    known = follow.update(seen, FRAME_NS)
    picture = known.overlay(frame)
    assert (frame == 128).all() and picture.shape == frame.shape
    x, y = follow.ground.floor_at((240, 320)).pixels([[0.5, 0.0]])[0]
    near = picture[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].astype(int)
    assert (near[..., 2] - near[..., 1]).max() > 60  # the red of the stop line
    unsure = RoadMask(seen.class_ids, np.zeros_like(seen.confidence), LABELS, PALETTE)
    follow.reset()
    assert (follow.update(unsure, 0).overlay(frame) == 128).all()
