"""Signs keep their identity and their class from frame to frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from perception.boxes import Box
from perception.signs import Sign, Signs
from perception.spec import ModelSpec
from perception.tracking import SignTracker, Tracks

LABELS = ("Speed limit 50", "Speed limit 80", "Stop")
SPEC = ModelSpec("signs", LABELS, ((0, 0, 0),) * 3, (16, 16), thresholds={"known": 0.5})
SECOND = 1_000_000_000
HZ_10 = SECOND // 10
SIZE_HW = (480, 640)
UNKNOWN = ""


def sign(
    label: str,
    x: float = 100.0,
    y: float = 100.0,
    size: float = 40.0,
    *,
    known: float = 0.97,
    score: float = 0.96,
    found: float = 1.0,
) -> Sign:
    """What a classifier reads; the remaining probability is shared by the other classes."""
    class_id = LABELS.index(label)
    scores = np.full(3, (1 - score) / 2, np.float32)
    scores[class_id] = score
    scores.flags.writeable = False
    box: Box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Sign(class_id, label, score, known, known >= 0.5, box, scores, {}, found)


def feed(
    tracker: SignTracker, frames: Sequence[Sequence[Sign]], *, start_ns: int = 0, step_ns: int = HZ_10
) -> list[Tracks]:
    return [
        tracker.update(Signs(tuple(signs)), start_ns + index * step_ns, size_hw=SIZE_HW)
        for index, signs in enumerate(frames)
    ]


def events(history: Sequence[Tracks]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Id and class of what was confirmed, and of what left."""
    confirmed = [(track.id, track.label) for tracks in history for track in tracks.confirmed]
    left = [(track.id, track.label) for tracks in history for track in tracks.left]
    return confirmed, left


def test_a_sign_is_confirmed_once_and_leaves_once() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop", x=100 + 5 * i)] for i in range(8)] + [[]] * 15)
    assert not history[0].confirmed and not history[0].current
    assert history[0][0].label == "Stop"  # said at once, but not yet sure
    assert events(history) == ([(1, "Stop")], [(1, "Stop")])
    assert history[2].current[0].label == "Stop"
    assert len(history[-1]) == 0 and not history[-1].current
    last = next(tracks.left[0] for tracks in history if tracks.left)
    assert not last.is_seen and last.is_confirmed


@pytest.mark.parametrize("rate_hz", [5, 10, 30, 60])
def test_a_clear_sign_is_confirmed_soon_but_not_by_one_frame(rate_hz: int) -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop")]] * 8, step_ns=SECOND // rate_hz)
    first = next(index for index, tracks in enumerate(history) if tracks.confirmed)
    assert first >= 1
    assert first / rate_hz <= 0.2


def test_one_misread_frame_does_not_change_the_label() -> None:
    read = ["Speed limit 50"] * 4 + ["Speed limit 80"] + ["Speed limit 50"] * 3
    history = feed(SignTracker(SPEC), [[sign(label, score=0.999)] for label in read])
    assert [tracks[0].label for tracks in history] == ["Speed limit 50"] * 8
    assert history[4][0].score < history[3][0].score  # but it is less sure of it
    assert events(history)[1] == []


def test_a_burst_of_alike_blurred_frames_counts_as_little_as_one() -> None:
    clear, blurred = [[sign("Speed limit 50")]] * 40, [[sign("Speed limit 80", score=0.8, known=0.6)]] * 5
    history = feed(SignTracker(SPEC), clear + blurred, step_ns=SECOND // 60)
    assert history[-1][0].label == "Speed limit 50"


def test_a_label_changes_once_when_another_class_leads() -> None:
    read = ["Speed limit 50"] * 4 + ["Speed limit 80"] * 10
    history = feed(SignTracker(SPEC), [[sign(label)] for label in read])
    labels = [tracks[0].label for tracks in history]
    assert labels[5] == "Speed limit 50" and labels[-1] == "Speed limit 80"
    assert labels == sorted(labels)  # one change
    both = [(1, "Speed limit 50"), (1, "Speed limit 80")]
    assert events(history) == (both, both[:1])


def test_reads_that_alternate_do_not_make_the_label_flicker() -> None:
    read = ["Speed limit 50"] * 3 + ["Speed limit 80", "Speed limit 50"] * 10
    history = feed(SignTracker(SPEC), [[sign(label)] for label in read])
    assert {tracks[0].label for tracks in history} == {"Speed limit 50"}


def test_what_is_unknown_is_never_confirmed() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop", known=0.4)] for _ in range(60)])
    assert events(history) == ([], [])
    for tracks in history:
        assert len(tracks) == 1 and not tracks[0] and not tracks.current
        assert (tracks[0].label, tracks[0].class_id, tracks[0].score) == (UNKNOWN, -1, 0.0)
        assert tracks[0].caption == "#1 unknown"


def test_a_confirmed_sign_that_turns_out_to_be_none_leaves() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop")]] * 3 + [[sign("Stop", known=0.03)]] * 8)
    assert history[4].current  # one or two doubtful frames are forgiven
    assert events(history) == ([(1, "Stop")], [(1, "Stop")])
    assert not history[-1][0] and history[-1][0].is_seen


def test_the_threshold_of_the_model_decides() -> None:
    strict = SignTracker(replace(SPEC, thresholds={"known": 0.9}))
    assert events(feed(strict, [[sign("Stop", known=0.8)]] * 20))[0] == []


def test_a_hidden_sign_is_expected_where_it_moves_to() -> None:
    moving = [[sign("Stop", x=100 + 10 * i)] for i in range(12)]
    history = feed(SignTracker(SPEC), moving[:6] + [[]] * 3 + moving[9:])
    hidden = history[8][0]
    assert not hidden.is_seen and hidden.is_confirmed and hidden.label == "Stop"
    x1, _, x2, _ = hidden.box
    assert (x1 + x2) / 2 == pytest.approx(180, abs=6)
    assert history[8].current == (hidden,)
    assert [tracks[0].id for tracks in history] == [1] * 12
    assert events(history) == ([(1, "Stop")], [])


def test_an_unconfirmed_box_is_not_shown_while_it_is_hidden() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop", known=0.3)], [], [sign("Stop", known=0.3)]])
    assert [len(tracks) for tracks in history] == [1, 0, 1]
    assert history[2][0].id == 1


def test_a_slow_camera_is_followed_too() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop", x=100 + 3 * i)] for i in range(4)], step_ns=SECOND)
    assert history[-1][0].id == 1 and history[-1].current


def test_irregular_stamps_keep_the_identity() -> None:
    tracker, rng, now, ids = SignTracker(SPEC), np.random.default_rng(0), 0.0, set()
    for _ in range(40):
        now += float(rng.choice((0.005, 0.033, 0.06, 0.3)))
        ids |= {t.id for t in tracker.update(Signs((sign("Stop", x=50 + 60 * now),)), int(now * 1e9))}
    assert ids == {1}


def test_two_signs_of_one_post_keep_their_ids_over_a_bump() -> None:
    heights = [100.0] * 5 + [132.0, 80.0, 125.0] + [100.0] * 3  # more than half of their distance
    frames = [[sign("Stop", y=y), sign("Speed limit 50", y=y + 42)] for y in heights]
    history = feed(SignTracker(SPEC), frames, step_ns=SECOND // 30)
    for tracks in history:
        assert [(track.id, track.label) for track in tracks] == [(1, "Stop"), (2, "Speed limit 50")]


def test_two_alike_signs_of_one_post_keep_their_ids_over_a_bump() -> None:
    heights = [100.0] * 5 + [120.0, 82.0] + [100.0] * 3
    frames = [[sign("Stop", y=y), sign("Stop", y=y + 42)] for y in heights]
    for tracks, y in zip(feed(SignTracker(SPEC), frames, step_ns=SECOND // 30), heights, strict=True):
        assert [track.id for track in tracks] == [1, 2]
        assert [track.box[1] for track in tracks] == pytest.approx([y - 20, y + 22], abs=3)


def test_signs_that_cross_keep_their_ids() -> None:
    frames = [
        [sign("Stop", x=100 + 10 * i), sign("Speed limit 50", x=300 - 10 * i, y=101)] for i in range(21)
    ]
    frames[9:12] = [[signs[0]] for signs in frames[9:12]]  # one hides the other
    history = feed(SignTracker(SPEC), frames, step_ns=SECOND // 20)
    assert {(track.id, track.label) for tracks in history for track in tracks} == {
        (1, "Stop"),
        (2, "Speed limit 50"),
    }


def test_another_sign_at_the_same_place_is_another_track() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop")]] * 4 + [[sign("Speed limit 50", x=300)]] * 3)
    assert {track.label: track.id for track in history[-1]} == {"Stop": 1, "Speed limit 50": 2}


def test_a_frame_that_comes_late_does_not_move_time_back() -> None:
    tracker = SignTracker(SPEC)
    feed(tracker, [[sign("Stop")]] * 5)
    late = tracker.update(Signs((sign("Stop"),)), 3 * HZ_10 + 5)
    assert late[0].id == 1 and late[0].age_s == pytest.approx(0.4)
    following = tracker.update(Signs((sign("Stop"),)), 5 * HZ_10)
    assert following[0].id == 1 and following[0].age_s == pytest.approx(0.5)
    assert np.isfinite(following[0].box).all()


def test_equal_stamps_are_survived() -> None:
    history = feed(SignTracker(SPEC), [[sign("Stop")]] * 30, step_ns=0)
    assert {track.id for tracks in history for track in tracks} == {1}
    assert all(0 <= track.score <= 1 for tracks in history for track in tracks)


@pytest.mark.parametrize("jump_s", [-3600, -5, 30, 10**6])
def test_a_jump_in_time_starts_everything_anew(jump_s: int) -> None:
    tracker = SignTracker(SPEC)
    start_ns = 10**9 * 5000
    feed(tracker, [[sign("Stop")]] * 5, start_ns=start_ns)
    after = tracker.update(Signs((sign("Stop"),)), start_ns + jump_s * SECOND)
    assert [track.id for track in after.left] == [1] and not after.left[0].is_seen
    assert [track.id for track in after] == [2] and not after[0].is_confirmed
    assert after[0].age_s == 0.0


def test_ids_go_on_after_a_reset() -> None:
    tracker = SignTracker(SPEC)
    feed(tracker, [[sign("Stop")]] * 3)
    tracker.reset()
    (second,) = feed(tracker, [[sign("Stop")]])
    assert second[0].id == 2 and not second[0].is_confirmed and second.left == ()


def test_a_sign_that_leaves_the_frame_is_gone_at_once() -> None:
    passing = [[sign("Stop", x=480 + 20 * i)] for i in range(8)]
    history = feed(SignTracker(SPEC), [*passing, [], [], []])
    assert events(history)[1] == [(1, "Stop")]
    assert len(history[-1]) == 0  # 0.3 s after it was seen; one within the frame would stay
    within = feed(SignTracker(SPEC), [[sign("Stop")]] * 8 + [[]] * 3)
    assert len(within[-1]) == 1
    for tracks in history:
        assert all(0 <= x <= 640 and 0 <= y <= 480 for t in tracks for x, y in (t.box[:2], t.box[2:]))


def test_boxes_are_floats_also_where_the_frame_has_become_smaller() -> None:
    """ROS messages take no others: an int there ends the process."""
    tracker = SignTracker(SPEC)
    feed(tracker, [[sign("Stop", x=300, y=200)]] * 4)
    tracks = tracker.update(Signs(()), 4 * HZ_10, size_hw=(33, 77))
    assert tracks.left
    assert {type(number) for track in (*tracks.left, *tracks) for number in track.box} == {float}


def test_without_the_size_of_the_frame_time_decides() -> None:
    tracker = SignTracker(SPEC)
    for i in range(8):
        tracker.update(Signs((sign("Stop", x=480 + 20 * i),)), i * HZ_10)
    history = [tracker.update(Signs(), i * HZ_10) for i in range(8, 17)]
    assert [len(tracks) for tracks in history] == [1] * 8 + [0]
    assert events(history)[1] == [(1, "Stop")]


def test_each_sign_of_the_frame_says_which_track_it_belongs_to() -> None:
    tracker = SignTracker(SPEC)
    frame = [sign("Stop", x=300), sign("Speed limit 50", size=80), sign("Stop", x=500, known=0.1)]
    feed(tracker, [frame] * 3)
    whole = replace(sign("Stop"), box=None)
    (tracks,) = feed(tracker, [[frame[2], whole, frame[1], frame[0]]], start_ns=3 * HZ_10)
    assert [track.id if track is not None else None for track in tracks.seen] == [3, None, 2, 1]
    assert [track.id for track in tracks.current] == [2, 1]  # the nearest first, unknown ones not at all
    assert tracks.signs[1] is whole and tracks[0].sign is frame[0]


def test_two_boxes_of_one_sign_are_one_track() -> None:
    double = [sign("Stop", found=0.4, x=104, size=44), sign("Stop", found=0.9), sign("Stop", x=96, found=0.3)]
    history = feed(SignTracker(SPEC), [[double[1]]] + [double] * 5)
    assert [len(tracks) for tracks in history] == [1] * 6
    assert [track.id if track is not None else None for track in history[-1].seen] == [None, 1, None]
    assert history[-1][0].sign is double[1]


def test_a_sign_without_all_scores_is_taken_by_its_class() -> None:
    bare = replace(sign("Stop"), scores=np.empty(0, np.float32))
    assert feed(SignTracker(SPEC), [[bare]] * 3)[-1].current[0].label == "Stop"
    strange = replace(bare, class_id=99, label="?")
    assert events(feed(SignTracker(SPEC), [[strange]] * 10))[0] == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0, 2.0])
def test_numbers_that_are_none_never_reach_a_track(wrong: float) -> None:
    tracker = SignTracker(SPEC)
    odd = [
        replace(sign("Stop"), known=wrong),
        replace(sign("Stop"), score=wrong, scores=np.full(3, wrong, np.float32)),
        replace(sign("Stop"), found=wrong),
        replace(sign("Stop"), box=(wrong, 0.0, wrong, 9.0)),
        replace(sign("Stop"), box=(50.0, 50.0, 40.0, 90.0)),
    ]
    history = feed(tracker, [[sign("Stop")]] * 3 + [[each] for each in odd] + [[sign("Stop")]] * 2)
    for tracks in history:
        for track in tracks:
            assert np.isfinite([*track.box, track.score, track.age_s]).all()
            assert 0 <= track.score <= 1
    assert history[-1].current[0].id == 1


def test_nothing_and_fifty_signs_are_followed_in_time() -> None:
    grid = [(60.0 * (i % 10) + 40, 90.0 * (i // 10) + 40) for i in range(50)]
    rng = np.random.default_rng(0)
    tracker, took = SignTracker(SPEC), []
    for index in range(12):
        signs = [sign(LABELS[i % 3], x + rng.normal(), y + rng.normal()) for i, (x, y) in enumerate(grid)]
        start = time.process_time()
        (tracks,) = feed(tracker, [signs], start_ns=index * HZ_10)
        took.append(time.process_time() - start)
        assert [track.id for track in tracks] == list(range(1, 51))
        assert tracks.latency_ms["track"] > 0
    assert sorted(took)[6] < 0.05  # seconds; a tenth of it on an idle machine
    assert len(tracks.current) == 50
    (empty,) = feed(SignTracker(SPEC), [[]])
    assert len(empty) == 0 and empty.seen == () and empty.current == ()


def test_nothing_that_is_given_changes() -> None:
    first = Signs((sign("Stop"), sign("Speed limit 50", x=300)), {"infer": 1.0})
    copies = [(s.box, s.scores.copy()) for s in first]
    tracker = SignTracker(SPEC)
    tracks = tracker.update(first, 0)
    boxes = [track.box for track in tracks]
    tracker.update(Signs((sign("Stop", x=130),)), HZ_10)
    assert first.latency_ms == {"infer": 1.0} and set(tracks.latency_ms) == {"infer", "track"}
    assert [track.box for track in tracks] == boxes  # a result is of its frame
    for read, (box, scores) in zip(first, copies, strict=True):
        assert read.box == box and (read.scores == scores).all()


def test_results_are_frozen_and_read_well() -> None:
    tracks = feed(SignTracker(SPEC), [[sign("Stop")]] * 3)[-1]
    with pytest.raises(FrozenInstanceError):
        tracks.tracks = ()  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        tracks[0].label = ""  # type: ignore[misc]
    assert tracks.sightings() == tuple(tracks) == tracks[:]
    assert tracks[0].caption.startswith("#1 Stop 9")
    assert repr(tracks[0]) == 'Track(id=1, label="Stop", score=1.000, confirmed)'


def test_the_overlay_shows_boxes_ids_and_names() -> None:
    frame = np.zeros((*SIZE_HW, 3), np.uint8)
    known = feed(SignTracker(SPEC), [[sign("Stop", x=300, y=300)]] * 3)[-1]
    unknown = feed(SignTracker(SPEC), [[sign("Stop", x=300, y=300, known=0.1)]])[-1]
    pictures = [tracks.overlay(frame) for tracks in (known, unknown)]
    assert not frame.any()
    for picture in pictures:
        assert picture[280:320, 280].any() and not picture[300, 300].any()  # the box is drawn, not filled
    assert (pictures[0][300, 280] != pictures[1][300, 280]).any()
