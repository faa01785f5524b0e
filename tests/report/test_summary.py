"""What a report says of a stream of frames: counts, means and times that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perception
from perception.errors import FrameError
from perception.report.summary import Summary, overlay
from perception.segmentation import RoadMask
from tests.conftest import COLORS, PALETTE, solid


class Sections(dict[str, Any]):
    """In place of a report: keeps what it is given, by title."""

    def __getattr__(self, kind: str) -> Any:
        def keep(title: str, *values: Any, **options: Any) -> None:
            self[title] = (*values, options)

        return keep


def road(blue: float) -> RoadMask:
    """A mask of blue and red."""
    ids = np.full((1, 100), 2, np.uint8)
    ids[:, : round(100 * blue)] = 0
    return RoadMask(ids, np.zeros_like(ids), COLORS, PALETTE)


def test_counts_spans_and_means(signs_model: Path) -> None:
    classify = perception.load(signs_model)
    summary, sections = Summary(expected=4, period_s=1.0), Sections()
    seen = ((0.0, "Red", 0.25), (1.0, "Red", 0.75), (2.0, "grey", 1.0), (3.0, "Red", 0.0))
    for time_s, color, blue in seen:
        summary.add(time_s, [classify.classify([solid(color), solid("grey")]), road(blue)])
    summary.add_bad(4.0, "a.jpg", FrameError("jpeg", "cut short"))
    summary.latency.add({"infer": 2.0})
    summary.write(sections)
    assert sections["Signs"][0] == "3 known signs of 1 classes; 5 unknown."
    assert sections["Signs over time"] == ({"Red": [(0.0, 2.0), (3.0, 4.0)]}, {"end": 5.0})
    assert sections["Sign sightings"][0] == {"Red": 3}
    assert sections["Shares of the frame"][0] == pytest.approx({"Blue": 50.0, "Red": 50.0, "Green": 0.0})
    curve = dict(sections["Shares over time"][0]["Blue"])
    assert curve == pytest.approx({0.0: 25.0, 1.0: 75.0, 2.0: 100.0, 3.0: 0.0})
    assert sections["Latency (ms)"][1] == [("infer", 2.0, 2.0, 2.0)]
    assert sections["Bad frames"][0] == {"jpeg": 1}


def test_a_span_ends_by_the_pace_of_its_own_source(signs_model: Path) -> None:
    red = perception.load(signs_model).classify([solid("Red")])
    summary, sections = Summary(expected=4, period_s=1.0), Sections()
    summary.add(0.0, [red])  # a picture, and then a video
    summary.period_s = 0.25
    for time_s in (1.0, 1.25, 2.0):
        summary.add(time_s, [red])
    summary.write(sections)
    assert sections["Signs over time"] == ({"Red": [(0.0, 1.5), (2.0, 2.25)]}, {"end": 2.25})


def test_long_curves_are_thinned_evenly() -> None:
    summary, sections = Summary(expected=1000, period_s=1.0), Sections()
    for second in range(1000):
        summary.add(float(second), [road(0.5)])
    summary.write(sections)
    times = [time_s for time_s, _ in sections["Shares over time"][0]["Blue"]]
    assert len(times) <= 400 and set(np.diff(times)) == {3.0}


@pytest.mark.parametrize(("frames", "points"), [(400, 400), (401, 201)])
def test_a_curve_of_as_many_points_as_can_be_seen_is_whole(frames: int, points: int) -> None:
    summary, sections = Summary(expected=frames, period_s=1.0), Sections()
    for second in range(frames):
        summary.add(float(second), [road(0.5)])
    summary.write(sections)
    assert len(sections["Shares over time"][0]["Blue"]) == points


def test_pictures_are_spread_over_the_whole_run() -> None:
    summary, sections = Summary(expected=120, period_s=1.0), Sections()
    for second in range(120):
        if summary.wants_picture:
            summary.add_picture(float(second), f"{second}.png", solid("Red"), [])
        summary.add(float(second), [])
    summary.write(sections)
    names = [caption for caption, _ in sections["Frames"][0]]
    assert names == [f"{second:.1f} s · {second}.png" for second in range(0, 120, 10)]


def test_of_a_few_frames_all_are_shown_and_a_caption_names_the_known_signs(signs_model: Path) -> None:
    classify = perception.load(signs_model)
    summary, sections = Summary(expected=2, period_s=1.0), Sections()
    for second, color in enumerate(("Red", "grey")):
        assert summary.wants_picture
        results = [classify.classify([solid(color), solid("Blue")]), road(0.5)]
        summary.add_picture(float(second), "", solid(color), results)
        summary.add(float(second), results)
    summary.write(sections)
    assert [caption for caption, _ in sections["Frames"][0]] == [
        "0.0 s · Red 99%, Blue 99%",
        "1.0 s · Blue 99%",
    ]


def test_a_report_of_nothing_has_no_empty_sections() -> None:
    summary, sections = Summary(expected=0, period_s=1.0), Sections()
    summary.write(sections)
    assert not sections and summary.end_s == 0.0


def test_more_frames_than_expected_are_reported_too() -> None:
    """A damaged recording may say that it has none."""
    summary, sections = Summary(expected=0, period_s=1.0), Sections()
    for second in range(20):
        if summary.wants_picture:
            summary.add_picture(float(second), "", solid("Red"), [])
        summary.add(float(second), [])
        summary.latency.add({"infer": float(second)})
    summary.write(sections)
    assert len(sections["Frames"][0]) == 12
    assert sections["Latency (ms)"][1] == [("infer", 19.0, 19.0, 19.0)]


def test_unknown_signs_alone_are_reported_and_one_mask_has_no_curve(signs_model: Path) -> None:
    summary, sections = Summary(expected=1, period_s=1.0), Sections()
    summary.add(0.0, [perception.load(signs_model).classify([solid("grey")]), road(0.25)])
    summary.write(sections)
    assert sections["Signs"][0] == "0 known signs of 0 classes; 1 unknown."
    assert sections["Shares of the frame"][0] == {"Red": 75.0, "Blue": 25.0, "Green": 0.0}
    assert list(sections["Shares of the frame"][0]) == ["Red", "Blue", "Green"]  # largest first
    assert set(sections) == {"Signs", "Shares of the frame"}


def test_two_frames_are_enough_for_a_curve() -> None:
    summary, sections = Summary(expected=2, period_s=1.0), Sections()
    for second in range(2):
        summary.add(float(second), [road(0.5)])
    summary.write(sections)
    assert sections["Shares over time"][0]["Blue"] == [(0.0, 50.0), (1.0, 50.0)]


def test_many_bad_frames_are_all_counted_and_the_first_fifty_listed() -> None:
    for count, title in ((50, "Bad frames in detail"), (51, "Bad frames in detail (the first 50)")):
        summary, sections = Summary(expected=60, period_s=0.5), Sections()
        for number in range(count):
            summary.add_bad(number / 2, f"{number}.jpg", FrameError("jpeg", "cut short"))
        summary.write(sections)
        assert sections["Bad frames"][0] == {"jpeg": count}
        rows = sections[title][1]
        assert len(rows) == 50 and rows[3] == ("1.50", "3.jpg", "jpeg", "cut short")
        assert summary.end_s == count / 2


class Seen:
    """A result that names one thing and has shares of many labels."""

    def __init__(self, label: str, shares: dict[str, float]) -> None:
        self.label, self.caption, self.latency_ms = label, label, {}
        self._shares = shares

    def sightings(self) -> tuple[Any, ...]:
        return (self,)

    def fractions(self) -> dict[str, float]:
        return self._shares


def test_long_lists_show_the_twenty_commonest_signs_and_the_five_largest_classes() -> None:
    summary, sections = Summary(expected=200, period_s=1.0), Sections()
    shares = {f"class {number}": number / 100 for number in range(7)}
    second = 0
    for number in range(21):
        for _ in range(number + 1):  # sign 20 is there most often, and comes last
            summary.add(float(second), [Seen(f"sign {number}", shares)])
            second += 1
    summary.write(sections)
    shown = [f"sign {number}" for number in range(1, 21)]
    most = "(the 20 most frequent classes)"
    assert list(sections[f"Signs over time {most}"][0]) == shown  # as they came
    assert list(sections[f"Sign sightings {most}"][0]) == shown[::-1]
    assert list(sections["Shares over time"][0]) == [f"class {number}" for number in (6, 5, 4, 3, 2)]


def test_the_sign_that_was_seen_first_is_the_first_row_even_if_it_comes_again() -> None:
    summary, sections = Summary(expected=3, period_s=1.0), Sections()
    for second, label in ((0, "Stop"), (3, "Yield"), (6, "Stop"), (9, "Ahead")):
        summary.add(float(second), [Seen(label, {"Road": 1 / 3})])
    summary.write(sections)
    assert list(sections["Signs over time"][0]) == ["Stop", "Yield", "Ahead"]
    assert sections["Shares of the frame"][0] == {"Road": 33.33}


def test_each_time_that_a_sign_is_in_sight_is_a_span_of_its_own() -> None:
    summary, sections = Summary(expected=5, period_s=1.0), Sections()
    for second in (0, 1, 5, 6, 9):
        summary.add(float(second), [Seen("Stop", {})])
    summary.write(sections)
    assert sections["Signs over time"][0] == {"Stop": [(0.0, 2.0), (5.0, 7.0), (9.0, 10.0)]}


def test_areas_are_drawn_below_things(signs_model: Path) -> None:
    signs = perception.load(signs_model).classify([solid("Red", 90, 120)])
    frame, mask = solid("grey", 90, 120), road(0.5)
    picture = overlay(frame, [signs, mask])
    assert np.array_equal(picture, signs.overlay(mask.overlay(frame)))
    assert np.array_equal(frame, solid("grey", 90, 120))


class FollowedSign:
    """One sign that is followed, as a track is."""

    def __init__(self, number: int, label: str, score: float, *, is_confirmed: bool = True) -> None:
        self.id, self.label, self.score, self.is_confirmed = number, label, score, is_confirmed
        self.caption = label

    def __bool__(self) -> bool:
        return True


class View:
    """A result that names followed signs."""

    def __init__(self, *signs: FollowedSign) -> None:
        self._signs = signs

    def sightings(self) -> tuple[Any, ...]:
        return self._signs


def test_each_sign_that_was_followed_has_a_row_from_its_confirmation_on() -> None:
    summary, sections = Summary(expected=4, period_s=0.5), Sections()
    stop = [FollowedSign(3, "Stop", score, is_confirmed=score > 0.5) for score in (0.4, 0.9, 0.8)]
    other = FollowedSign(4, "Stop", 0.7)
    for number, signs in enumerate(([stop[0]], [stop[1], other], [stop[2]], [FollowedSign(3, "Yield", 0.6)])):
        summary.add(number / 2, [View(*signs)])
    summary.write(sections)
    assert sections["Signs"][0].endswith("0 unknown. 2 signs were followed and confirmed.")
    header, rows, _ = sections["Signs that were followed"]
    assert header == ("id", "sign", "from s", "to s", "frames", "best score")
    assert rows == [
        (3, "Stop", 0.5, 1.0, 2, 0.9),
        (4, "Stop", 0.5, 0.5, 1, 0.7),
        (3, "Yield", 1.5, 1.5, 1, 0.6),  # the same sign, read anew
    ]


@pytest.mark.parametrize(("count", "title"), [(100, ""), (101, " (the first 100)")])
def test_of_many_signs_that_were_followed_the_first_hundred_are_listed(count: int, title: str) -> None:
    summary, sections = Summary(expected=1, period_s=0.5), Sections()
    summary.add(0.0, [View(*(FollowedSign(number, "Stop", 0.9) for number in range(count)))])
    summary.write(sections)
    assert len(sections["Signs that were followed" + title][1]) == 100
    assert f"{count} signs were followed" in sections["Signs"][0]


def test_signs_that_nobody_follows_have_no_rows(signs_model: Path) -> None:
    summary, sections = Summary(expected=1, period_s=1.0), Sections()
    summary.add(0.0, [perception.load(signs_model)(solid("Red"))])
    summary.add(1.0, [View(FollowedSign(1, "Stop", 0.4, is_confirmed=False))])
    summary.write(sections)
    assert "followed" not in sections["Signs"][0] and "Signs that were followed" not in sections
