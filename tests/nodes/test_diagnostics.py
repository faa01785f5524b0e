"""What /diagnostics says of a node's last second, and that it forgets the seconds before."""

from __future__ import annotations

import pytest

from perception.nodes.diagnostics import ERROR, OK, STALE, WARN, Health


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("perception.nodes.diagnostics.time.monotonic", clock)
    return clock


def report(
    health: Health, clock: Clock, *, after_s: float = 1.0, rois_gap: str = ""
) -> tuple[bytes, str, dict[str, str]]:
    clock.now += after_s
    status = health.status(
        state="active",
        fault="",
        stale_after_s=5.0,
        input_gap="on /cam",
        rois_gap=rois_gap,
        output_gaps=(),
    )
    return status.level, status.message, {value.key: value.value for value in status.values}


def test_the_rate_is_that_of_the_time_since_it_was_last_reported(clock: Clock) -> None:
    health = Health()
    for count, after_s, rate in ((10, 2.0, "5.0"), (3, 1.0, "3.0"), (0, 1.0, "0.0")):
        for _ in range(count):
            health.received(40.0)
            health.processed({"total": 12.5})
        level, message, values = report(health, clock, after_s=after_s)
        assert (level, message, values["rate_hz"]) == (OK, f"{rate} frames/s", rate)
    assert (values["frames_in"], values["processed"]) == ("13", "13")
    assert (values["age_ms_p50"], values["total_ms_p99"]) == ("40.00", "12.50")


def test_a_failure_is_reported_once_and_counted_for_ever(clock: Clock) -> None:
    health = Health()
    health.received(None)
    health.failed("out of memory")
    level, message, _ = report(health, clock)
    assert level == ERROR and "1 frames failed" in message and "out of memory" in message
    level, _, values = report(health, clock)
    assert (level, values["errors"]) == (OK, "1")


def test_bad_frames_among_good_ones_are_a_warning(clock: Clock) -> None:
    health = Health()
    health.bad("jpeg", "cut short")
    assert report(health, clock)[0] == ERROR
    health.bad("jpeg", "cut short")
    health.processed({})
    level, message, values = report(health, clock)
    assert level == WARN and "1 bad frames" in message and "cut short" in message
    assert (values["bad"], values["bad.jpeg"]) == ("2", "2")


def test_frames_without_boxes_are_a_warning_while_none_has_them(clock: Clock) -> None:
    health = Health()
    health.received_rois()
    health.unpaired(2)
    level, message, values = report(health, clock, rois_gap="on /rois; 1 publishers")
    assert level == WARN and message == "no frame found boxes with its stamp on /rois; 1 publishers"
    assert values["rois_in"] == "1"
    health.unpaired(1)
    health.processed({})
    assert report(health, clock, rois_gap="on /rois; 1 publishers")[0] == OK


def test_boxes_that_never_come_are_a_warning_from_the_first_frame_on(clock: Clock) -> None:
    health = Health()
    assert report(health, clock, rois_gap="on /rois")[0] == OK
    health.received(None)
    for _ in range(3):  # at one frame in many seconds, too
        assert report(health, clock, rois_gap="on /rois")[:2] == (WARN, "no boxes on /rois")
    health.received_rois()
    assert report(health, clock, rois_gap="on /rois")[0] == OK


def test_silence_is_stale_and_counts_from_the_activation(clock: Clock) -> None:
    health = Health()
    level, message, _ = report(health, clock, after_s=6.0)
    assert level == STALE and "6 s on /cam" in message
    health.restart()
    assert report(health, clock)[0] == OK
    health.received(None)
    assert report(health, clock, after_s=4.9)[0] == OK
    assert report(health, clock, after_s=0.2)[0] == STALE


def test_a_frame_that_never_ends_is_an_error(clock: Clock) -> None:
    """Frames go on coming in, and are dropped."""
    health = Health()
    health.began()
    for _ in range(5):
        health.received(None)
        health.dropped()
        assert report(health, clock)[0] == OK
    health.received(None)
    level, message, _ = report(health, clock)
    assert level == ERROR and "one frame for 6 s" in message
    health.processed({})
    assert report(health, clock)[0] == OK
