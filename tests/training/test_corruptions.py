"""Every corruption keeps size and type, repeats itself, and grows with its severity."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def disc(height: int, width: int) -> np.ndarray:
    """A red-rimmed disc with a bar in it, smooth enough that every corruption has something to harm."""
    frame = np.full((240, 240, 3), (120, 110, 90), np.uint8)
    cv2.circle(frame, (120, 120), 90, (235, 235, 235), -1, cv2.LINE_AA)
    cv2.circle(frame, (120, 120), 90, (40, 30, 200), 18, cv2.LINE_AA)
    cv2.rectangle(frame, (70, 105), (170, 135), (30, 30, 30), -1)
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("size_hw", [(15, 15), (40, 47), (250, 235), (60, 200)])
def test_a_corrupted_frame_has_the_size_of_the_first_and_leaves_it_alone(
    name: str, size_hw: tuple[int, int]
) -> None:
    frame = disc(*size_hw)
    before = frame.copy()
    for severity in SEVERITIES:
        given = corrupt(name, frame, severity=severity, rng=np.random.default_rng(severity))
        assert given.shape == frame.shape and given.dtype == np.uint8
        again = corrupt(name, frame, severity=severity, rng=np.random.default_rng(severity))
        np.testing.assert_array_equal(given, again)
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_does_more_harm(name: str) -> None:
    frame = disc(64, 64)

    def harm(severity: int) -> float:
        given = [
            corrupt(name, frame, severity=severity, rng=np.random.default_rng(seed)) for seed in range(12)
        ]
        return float(np.mean([np.abs(one.astype(float) - frame).mean() for one in given]))

    harms = [harm(severity) for severity in SEVERITIES]
    assert harms[0] > 0.2
    assert harms == sorted(harms)


@pytest.mark.parametrize("name", ["motion blur", "defocus blur", "occlusion"])
def test_near_and_far_signs_suffer_alike(name: str) -> None:
    near = corrupt(name, disc(192, 192), severity=4, rng=np.random.default_rng(3))
    far = corrupt(name, disc(64, 64), severity=4, rng=np.random.default_rng(3))
    shrunk = cv2.resize(near, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - far).mean() < 6


def test_what_does_not_exist_is_refused_by_name() -> None:
    frame = disc(32, 32)
    with pytest.raises(ValueError, match="no corruption 'hail'; there are motion blur"):
        corrupt("hail", frame, severity=1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="severity is 6; it must be 1 to 5"):
        corrupt("fog", frame, severity=6, rng=np.random.default_rng(0))
