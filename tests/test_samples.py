"""Numbers of an hour in the memory of a few minutes."""

from __future__ import annotations

import numpy as np
import pytest

from perception.samples import Curve, Mean, Reservoir, Stages


def test_a_short_drive_is_measured_exactly() -> None:
    stages = Stages()
    for value in range(101):
        stages.add({"infer": float(value)})
    assert stages.percentiles() == {"infer": (50.0, 95.0, 99.0)}
    assert stages.percentile("infer", 10) == 10.0
    assert stages.percentile("track", 50) is None


def test_a_long_drive_is_sampled_evenly_and_always_alike() -> None:
    """Not its beginning or its end: the first half of the values is 0, the second 1."""
    one, other = Reservoir(1000), Reservoir(1000)
    for number in range(20_000):
        one.add(float(number >= 10_000))
        other.add(float(number >= 10_000))
    assert one._kept == other._kept and len(one._kept) == 1000
    assert np.mean(one._kept) == pytest.approx(0.5, abs=0.06)


def test_a_curve_keeps_its_shape_with_few_points() -> None:
    curve = Curve(50)
    for number in range(10_000):
        curve.add(number / 100, float(number))
    points = curve.points()
    assert 50 <= len(points) <= 101
    assert all(time_s == pytest.approx(value / 100) for time_s, value in points)
    assert [time_s for time_s, _ in points] == sorted(time_s for time_s, _ in points)
    assert points[0][1] < 200 and points[-1][1] > 9800


def test_a_short_curve_has_every_value() -> None:
    curve = Curve(50)
    for number in range(7):
        curve.add(float(number), number / 2)
    assert curve.points() == tuple((float(number), number / 2) for number in range(7))


def test_a_mean_of_nothing_is_none() -> None:
    mean = Mean()
    assert mean.value is None
    mean.add(1.0)
    mean.add(2.0)
    assert (mean.value, mean.count) == (1.5, 2)
