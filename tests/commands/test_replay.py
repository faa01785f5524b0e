"""Where shots are on the axis of a replay, and which of them follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from perception.commands.replay import Clock
from perception.recordings.shots import Shot, Source

PERIOD_NS = 100_000_000


def source(*, is_stream: bool = True, has_clock: bool = True) -> Source:
    def nothing() -> Iterator[Shot]:
        yield from ()

    return Source("drive", 0, 10.0, 0, nothing, has_clock=has_clock, is_stream=is_stream)


def shot(time_ns: int, stamp_ns: int | None = None) -> Shot:
    return Shot(time_ns if stamp_ns is None else stamp_ns, time_ns, "", "", None, None, None, 0.0)


def follow(clock: Clock, tenths: Sequence[float]) -> list[bool]:
    """Which of the shots, taken so many tenths of a second after the first, are neighbours."""
    start_ns = 100 * 10**9
    neighbours = []
    for tenth in tenths:
        clock.at(shot(start_ns + round(tenth * PERIOD_NS)))
        neighbours.append(clock.is_neighbour)
    return neighbours


def test_frames_that_are_missing_by_the_gaps() -> None:
    clock = Clock()
    clock.begin(source())
    assert follow(clock, [0, 1.1, 1.9, 3.3, 5.2, 6, 10]) == [False, True, True, True, False, True, False]
    assert clock.missing == 1 + 3


def test_a_clock_that_was_set_hides_no_frames() -> None:
    clock = Clock()
    clock.begin(source())
    assert follow(clock, [0, 1, 10**9, 10**9 + 1]) == [False, True, False, True]
    assert clock.missing == 0
    assert clock.end_s == pytest.approx(0.4)


def test_an_input_goes_on_where_the_last_one_ended_and_is_no_neighbour_of_it() -> None:
    clock = Clock()
    clock.begin(source())
    follow(clock, [0, 1])
    clock.begin(source())
    assert clock.at(shot(10**9)) == pytest.approx(0.2)
    assert not clock.is_neighbour and clock.missing == 0


def test_pictures_of_a_folder_follow_nothing() -> None:
    clock = Clock()
    clock.begin(source(is_stream=False, has_clock=False))
    assert follow(clock, [0, 10, 70]) == [False, False, False]
    assert clock.missing == 0


def test_without_stamps_the_times_of_recording_count() -> None:
    clock = Clock()
    clock.begin(source())
    for tenth in (0, 1, 4):
        clock.at(shot(10**11 + tenth * PERIOD_NS, 0))
    assert clock.missing == 2
