"""Signs keep their identity and their class from frame to frame."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from perception.boxes import Box
from perception.signs import Sign, Signs
from perception.spec import ModelSpec
from perception.tracking import SignTracker, Track, Tracks

LABELS = ("Speed limit 50", "Speed limit 80", "Stop")
SPEC = ModelSpec("signs", LABELS, ((0, 0, 0),) * 3, (16, 16), thresholds={"known": 0.5})
HZ_10 = 100_000_000


def sign(label: str, x: float = 100.0, y: float = 100.0, size: float = 40.0, known: float = 0.97) -> Sign:
    class_id = LABELS.index(label)
    scores = np.full(3, 0.02, np.float32)
    scores[class_id] = 0.96
    scores.flags.writeable = False
    box: Box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return Sign(class_id, label, 0.96, known, known >= 0.5, box, scores, {})


def feed(tracker: SignTracker, *frames: list[Sign], start_ns: int = 0, step_ns: int = HZ_10) -> list[Tracks]:
    return [tracker.update(Signs(tuple(f)), start_ns + i * step_ns) for i, f in enumerate(frames)]


def test_a_sign_is_confirmed_once_and_leaves_once() -> None:
    history = feed(SignTracker(SPEC), *[[sign("Stop", x=100 + 5 * i)] for i in range(8)], *[[]] * 15)
    assert not history[0].confirmed and not history[0].current
    events = [track.label for tracks in history for track in tracks.confirmed]
    gone = [track.label for tracks in history for track in tracks.left]
    assert events == gone == ["Stop"]
    assert history[2].current[0].label == "Stop"
    assert not history[-1].current and len(history[-1]) == 0


def test_one_misread_frame_does_not_change_the_label() -> None:
    read = ["Speed limit 50"] * 4 + ["Speed limit 80"] + ["Speed limit 50"] * 3
    history = feed(SignTracker(SPEC), *[[sign(label)] for label in read])
    assert {track.label for tracks in history for track in tracks} == {"Speed limit 50"}
    assert [len(tracks) for tracks in history] == [1] * 8


def test_a_label_changes_when_another_class_leads() -> None:
    read = ["Speed limit 50"] * 4 + ["Speed limit 80"] * 10
    history = feed(SignTracker(SPEC), *[[sign(label)] for label in read])
    labels = [tracks[0].label for tracks in history]
    assert labels[5] == "Speed limit 50" and labels[-1] == "Speed limit 80"
    assert labels == sorted(labels)  # one change


def test_what_is_unknown_is_never_confirmed() -> None:
    history = feed(SignTracker(SPEC), *[[sign("Stop", known=0.2)] for _ in range(30)])
    assert not any(tracks.confirmed or tracks.current for tracks in history)
    assert all(not track for tracks in history for track in tracks)


def test_ids_go_on_after_a_reset() -> None:
    tracker = SignTracker(SPEC)
    (first,) = feed(tracker, [sign("Stop")])
    tracker.reset()
    (second,) = feed(tracker, [sign("Stop")])
    assert first[0].id == 1 and second[0].id == 2


def test_results_cannot_be_altered() -> None:
    (tracks,) = feed(SignTracker(SPEC), [sign("Stop")])
    assert isinstance(tracks[0], Track)
    with pytest.raises(FrozenInstanceError):
        tracks.tracks = ()  # type: ignore[misc]
    frame = np.zeros((200, 200, 3), np.uint8)
    assert tracks.overlay(frame).any() and not frame.any()
