"""Jumps of a recording's clock: what is one, how it is described, and the axis that closes it."""

from __future__ import annotations

import pytest

from perception.recordings.jumps import Axis, described, is_jump, length, period_s

S = 10**9


@pytest.mark.parametrize(
    ("step_s", "period", "expected"),
    [(60.0, 0.1, False), (60.1, 0.1, True), (-61.0, 0.1, True), (100.0, 10.0, False), (101.0, 10.0, True)],
)
def test_over_a_minute_or_ten_periods_is_a_jump(step_s: float, period: float, expected: bool) -> None:
    assert is_jump(100 * S, 100 * S + round(step_s * S), period) is expected


def test_lengths_and_dates() -> None:
    assert [length(n) for n in (0, 999, 7_000_000, 61 * S, 2 * 86400 * S)] == [
        "0 ns",
        "999 ns",
        "7 ms",
        "61 s",
        "2 days",
    ]
    assert described(100 * S, 400 * S) == "300 s, from 1970-01-01 00:01:40 to 1970-01-01 00:06:40"
    assert described(400 * S, 100 * S).startswith("-300 s, from 1970-01-01 00:06:40")
    assert "to 9000000000000 s" in described(0, 9_000_000_000_000 * S)


def test_two_frames_decades_apart_are_not_the_usual_period() -> None:
    assert period_s(1e-9) == 60.0
    assert period_s(10.0) == pytest.approx(0.1)


def test_the_axis_closes_jumps_and_keeps_other_steps() -> None:
    axis = Axis(rate_hz=10.0, begin_s=5.0)
    times = (100.0, 100.1, 130.1, 1e9, 1e9 + 0.1, 500.0)
    places = [axis.at(round(time * S)) for time in times]
    assert places == pytest.approx([5.0, 5.1, 35.1, 35.2, 35.3, 35.4])
    assert [after // S for _, after in axis.jumps] == [10**9, 500]


def test_a_file_without_a_clock_keeps_its_steps() -> None:
    axis = Axis(rate_hz=10.0, closes=False)
    assert [axis.at(second * S) for second in (0, 1, 300)] == [0.0, 1.0, 300.0]
    assert not axis.jumps
