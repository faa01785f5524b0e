"""When each frame was taken, how many there are, and when a source ends."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import pytest

from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.sources import open_source
from tests.bags import RAW, RECORDED_AFTER_NS, ROIS, raw, rois, text, write_bag
from tests.conftest import solid

SECOND = 1_000_000_000


def test_pictures_come_one_a_second_from_the_stamp_that_was_asked_for(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), solid("Red", 8, 8))
    source = open_source(tmp_path, start_ns=5 * SECOND + 7)
    assert (source.count, source.rate_hz, source.end_ns) == (3, 1.0, 8 * SECOND + 7)
    shots = list(source.shots())
    assert [(shot.name, shot.stamp_ns) for shot in shots] == [
        ("a.png", 5 * SECOND + 7),
        ("b.png", 6 * SECOND + 7),
        ("c.png", 7 * SECOND + 7),
    ]
    assert all(shot.time_ns == shot.stamp_ns and shot.boxes is None for shot in shots)
    (shot,) = open_source(tmp_path / "b.png").shots()
    assert (shot.stamp_ns, open_source(tmp_path / "b.png").end_ns) == (0, SECOND)


def test_the_last_frame_of_a_bag_is_read_and_the_bag_ends_with_its_last_message(tmp_path: Path) -> None:
    messages = [(RAW, raw(solid("Red", 4, 4), stamp)) for stamp in range(7)]
    bag = write_bag(tmp_path / "bag", [*messages, *[("/chatter", text("hello"))] * 9])
    source = open_source(bag)
    stamps = [shot.stamp_ns for shot in source.shots()]
    assert (len(stamps), source.count) == (7, 7)
    assert stamps[-1] == 100 * SECOND + 600_000_000
    last = 100 * SECOND + 800_000_000 + RECORDED_AFTER_NS  # of the other topic
    assert source.end_ns - last in (0, 1)  # rosbags says when nothing more comes
    with BagReader(bag) as reader:
        assert (reader.count(RAW), reader.count("/chatter"), reader.count("/none")) == (7, 9, 0)


@pytest.mark.parametrize(
    ("times_ns", "rate_hz"),
    [
        ([0], 1.0),
        ([5, 5, 5], 1.0),  # as a converter writes it that knows no times
        ([0, SECOND // 4], 4.0),
        ([0, 0, SECOND // 4], 4.0),
        ([number * SECOND // 10 for number in range(100)] + [10**11 + 100 * SECOND], 10.0),
    ],
)
def test_the_rate_is_that_of_a_topics_own_messages(
    tmp_path: Path, times_ns: list[int], rate_hz: float
) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for time_ns in times_ns:
            bag.write(RAW, raw(solid("Red", 4, 4), 0), time_ns)
    assert open_source(tmp_path / "bag").rate_hz == pytest.approx(rate_hz)


def test_a_frame_without_boxes_of_its_own_has_none_and_is_no_whole_frame(tmp_path: Path) -> None:
    messages = [(RAW, raw(solid("Red"), stamp)) for stamp in range(2)]
    bag = write_bag(tmp_path / "bag", [*messages, (ROIS, rois([(1, 2, 9, 8, "")], 1))])
    first, second = open_source(bag).shots()
    assert first.boxes is not None and len(first.boxes) == 0
    assert second.boxes is not None and second.boxes.tolist() == [[1, 2, 9, 8]]
    assert [shot.boxes for shot in open_source(bag, use_rois=False).shots()] == [None, None]


def test_the_first_and_the_last_second_that_ros_2_counts_are_good(tmp_path: Path) -> None:
    messages = []
    for sec in (-(2**31), 2**31 - 1):
        message = raw(solid("Red", 4, 4), 0)
        message.header.stamp.sec, message.header.stamp.nanosec = sec, 999_999_999
        messages.append((RAW, message))
    shots = list(open_source(write_bag(tmp_path / "bag", messages)).shots())
    assert [shot.error for shot in shots] == [None, None]
    assert [shot.stamp_ns for shot in shots] == [sec * SECOND + 999_999_999 for sec in (-(2**31), 2**31 - 1)]

    late = raw(solid("Red", 4, 4), 0)
    late.header.stamp.sec, late.header.stamp.nanosec = 2**31 - 1, 1_000_000_000  # a second more
    (shot,) = open_source(write_bag(tmp_path / "late", [(RAW, late)])).shots()
    assert (shot.image, shot.stamp_ns) == (None, 0)
    assert "stamp of 2147483648 s; ROS 2 counts to 2147483647" in str(shot.error)


def test_reading_is_timed_in_milliseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), solid("Red", 8, 8))
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red", 8, 8), 0))])
    sources = [open_source(path) for path in (tmp_path / "a.png", bag)]
    seconds = itertools.count(7.0, 0.25)
    monkeypatch.setattr("perception.recordings.shots.time.perf_counter", lambda: next(seconds))
    assert [shot.read_ms for source in sources for shot in source.shots()] == [250.0, 250.0]
