"""The closed form of the filter is the Kalman filter of the books."""

from __future__ import annotations

import numpy as np
import pytest

from perception.motion import Approach, to_box, to_state


def test_a_box_and_its_state_are_the_same() -> None:
    box = (10.0, 20.0, 50.0, 30.0)
    state = to_state(box)
    assert state.tolist() == pytest.approx([30.0, 25.0, np.log(40.0), np.log(10.0)])
    assert to_box(state) == pytest.approx(box)


def test_the_filter_does_what_matrices_do() -> None:
    rng = np.random.default_rng(0)
    noise, speed, acceleration = rng.uniform(0.5, 2.0, (3, 4))
    first = rng.normal(size=4)
    ours = Approach(first, noise, speed)
    means = [np.array((value, 0.0)) for value in first]
    covariances = [np.diag((noise[k], speed[k])) for k in range(4)]
    for seconds in (0.1, 0.03, 0.5, 0.0):
        measured = rng.normal(size=4)
        measured[2:] = first[2:]  # it does not grow, so that its velocity is constant
        ours.predict(seconds, acceleration)
        ours.correct(measured, noise)
        step = np.array(((1.0, seconds), (0.0, 1.0)))
        push = np.array(((seconds**3 / 3, seconds**2 / 2), (seconds**2 / 2, seconds)))
        for k in range(4):
            mean = step @ means[k]
            covariance = step @ covariances[k] @ step.T + acceleration[k] * push
            gain = covariance[:, 0] / (covariance[0, 0] + noise[k])
            means[k] = mean + gain * (measured[k] - mean[0])
            covariances[k] = covariance - np.outer(gain, covariance[0])
        assert ours.position == pytest.approx([mean[0] for mean in means])
        assert ours.velocity == pytest.approx([mean[1] for mean in means])
        assert ours.variance == pytest.approx([covariance[0, 0] for covariance in covariances])


def test_a_sign_is_approached_at_a_constant_speed() -> None:
    def seen_from(distance_m: float) -> np.ndarray:
        """A sign of half a metre, two metres to the right and one above, before a camera of 500 px."""
        x, y, size = 500 * np.array((2.0, -1.0, 0.5)) / distance_m
        return np.array((320 + x, 240 + y, np.log(size), np.log(size)))

    speed_m, distance_m, moment_s = 4.0, 12.0, 1e-4
    ours = Approach(seen_from(distance_m), np.ones(4), np.ones(4))
    ours.velocity = (seen_from(distance_m - speed_m * moment_s) - seen_from(distance_m)) / moment_s
    for seconds in (0.4, 0.1, 0.6):
        ours.predict(seconds, np.ones(4))
        distance_m -= speed_m * seconds
        assert ours.position == pytest.approx(seen_from(distance_m), abs=0.1)


def test_a_wild_growth_does_not_make_it_endless() -> None:
    ours = Approach(np.zeros(4), np.ones(4), np.ones(4))
    ours.velocity = np.array((100.0, 0.0, 50.0, 50.0))
    ours.predict(1.0, np.ones(4))
    assert np.isfinite(ours.position).all() and ours.position[2] < 1.0


def test_what_is_given_stays_as_it_is() -> None:
    given = [np.ones(4) for _ in range(4)]
    ours = Approach(given[0], given[1], given[2])
    ours.predict(1.0, given[3])
    ours.correct(np.zeros(4), given[1])
    assert all((array == 1.0).all() for array in given)
