"""What a report says of a stream of frames: counts, means and times that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perception
from perception.errors import FrameError
from perception.report.summary import Summary
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
