"""Every corruption keeps size and type, repeats itself, and grows with its severity."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.corrupt.corruptions import CORRUPTIONS, SEVERITIES, corrupt


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
        given = corrupt(name, frame, severity=severity, rng=np.random.default_rng(severity)).frame
        assert given.shape == frame.shape and given.dtype == np.uint8
        again = corrupt(name, frame, severity=severity, rng=np.random.default_rng(severity)).frame
        np.testing.assert_array_equal(given, again)
    np.testing.assert_array_equal(frame, before)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_higher_severity_does_more_harm(name: str) -> None:
    frame = disc(64, 64)

    def harm(severity: int) -> float:
        given = [
            corrupt(name, frame, severity=severity, rng=np.random.default_rng(seed)).frame
            for seed in range(12)
        ]
        return float(np.mean([np.abs(one.astype(float) - frame).mean() for one in given]))

    harms = [harm(severity) for severity in SEVERITIES]
    assert harms[0] > 0.2
    assert harms == sorted(harms)


@pytest.mark.parametrize("name", ["motion blur", "defocus blur", "occlusion"])
def test_near_and_far_signs_suffer_alike(name: str) -> None:
    near = corrupt(name, disc(192, 192), severity=4, rng=np.random.default_rng(3)).frame
    far = corrupt(name, disc(64, 64), severity=4, rng=np.random.default_rng(3)).frame
    shrunk = cv2.resize(near, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(float) - far).mean() < 6


def test_what_does_not_exist_is_refused_by_name() -> None:
    frame = disc(32, 32)
    with pytest.raises(ValueError, match="no corruption 'hail'; there are motion blur"):
        corrupt("hail", frame, severity=1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="severity is 6; it must be 1 to 5"):
        corrupt("fog", frame, severity=6, rng=np.random.default_rng(0))


def seen_by(name: str, severity: int, frame: np.ndarray, count: int = 40) -> list[np.ndarray]:
    """What a corruption makes of a frame with as many seeds."""
    return [
        corrupt(name, frame, severity=severity, rng=np.random.default_rng(seed)).frame
        for seed in range(count)
    ]


def test_a_cut_takes_three_tenths_of_the_crop_from_any_one_side() -> None:
    ramp = np.repeat(np.linspace(0, 255, 101).round().astype(np.uint8)[None, :, None], 101, axis=0)
    frame = np.dstack([ramp, ramp.transpose(1, 0, 2), ramp])  # blue grows to the right, green downwards
    lost = np.zeros(4)
    for seen in seen_by("cut", 5, frame):
        blue, green = seen[50, :, 0].astype(float) / 255, seen[:, 50, 1].astype(float) / 255
        sides = np.array([blue[0], 1 - blue[-1], green[0], 1 - green[-1]])
        assert (sides > 0.05).sum() == 1
        assert sides.max() == pytest.approx(0.3, abs=0.02)
        lost += sides > 0.05
    assert (lost > 3).all()


def square_seen_by(name: str) -> list[tuple[float, float, float, float]]:
    """Where a square in the middle of a frame is at severity 5: its middle and its size, y and x, px."""
    frame = np.zeros((120, 120, 3), np.uint8)
    frame[40:80, 40:80] = 255
    found = []
    for seen in seen_by(name, 5, frame):
        rows, columns = (np.flatnonzero(seen[..., 0].max(axis=axis) > 127) for axis in (1, 0))
        middle = (rows[0] + rows[-1]) / 2 - 59.5, (columns[0] + columns[-1]) / 2 - 59.5
        found.append((*middle, float(len(rows)), float(len(columns))))
    return found


def test_a_squeezed_sign_is_half_again_as_long_one_way_as_the_other() -> None:
    found = square_seen_by("squeeze")
    longer = np.array([width / height for _, _, height, width in found])
    assert np.exp(np.abs(np.log(longer))) == pytest.approx(1.5, rel=0.06)
    assert 10 < (longer > 1).sum() < 30
    assert np.abs([one[:2] for one in found]).max() <= 1


def test_jitter_moves_the_sign_all_ways_by_a_fifth_of_the_box() -> None:
    found = np.array(square_seen_by("jitter"))
    size = found[:, 2:].mean(axis=1)
    away = np.hypot(found[:, 0], found[:, 1]) * 40 / size
    assert away / 120 == pytest.approx(0.19, rel=0.1)
    assert (np.abs(found[:, :2].mean(axis=0)) < 8).all()
    assert size.min() < 36 and size.max() > 44


def test_half_of_the_tints_are_pink_and_none_takes_the_picture_away() -> None:
    grey = np.full((40, 40, 3), 120, np.uint8)
    casts = np.array([seen.reshape(-1, 3).mean(axis=0) for seen in seen_by("tint", 3, grey, 200)])
    blue, green, red = casts.T
    assert (green < 0.9 * np.minimum(red, blue + 40)).mean() == pytest.approx(0.5, abs=0.17)
    assert casts.min() > 60 and casts.max() < 200
    uneven = [np.ptp(seen.reshape(-1, 3), axis=0).max() for seen in seen_by("tint", 5, grey)]
    assert np.median(uneven) > 5


@pytest.mark.parametrize("name", ["motion blur", "defocus blur", "rain", "snow", "low resolution"])
def test_things_in_a_whole_frame_suffer_as_crops_of_a_tenth_of_its_side(name: str) -> None:
    tiles = np.tile(disc(48, 48), (10, 10, 1))
    whole = corrupt(name, tiles, severity=4, rng=np.random.default_rng(0), is_crop=False).frame
    crops = [
        corrupt(name, disc(48, 48), severity=4, rng=np.random.default_rng(seed)).frame for seed in range(40)
    ]
    harm = np.abs(whole.astype(float) - tiles).mean()
    alone = np.mean([np.abs(crop.astype(float) - disc(48, 48)).mean() for crop in crops])
    assert harm == pytest.approx(alone, rel=0.25)


def test_a_rolling_shutter_slants_to_both_sides_and_leaves_rows_level() -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[:, 48:52] = 255
    slants = []
    for seen in seen_by("rolling shutter", 5, frame):
        places = [np.average(np.arange(100), weights=row + 1e-9) for row in seen[..., 0].astype(float)]
        slants.append(float(np.polyfit(np.arange(100), places, 1)[0]))
        assert np.abs(seen[50, :, 0].astype(float).sum() / 255 - 4) < 0.2  # as wide as before
    assert np.mean(np.abs(slants)) == pytest.approx(0.18, abs=0.02)
    assert 8 < sum(slant > 0 for slant in slants) < 32


def test_rows_are_repeated_black_or_close_up() -> None:
    frame = np.repeat(np.arange(50, 150, dtype=np.uint8)[:, None, None], 40, axis=1).repeat(3, axis=2)
    ways = []
    for seen in seen_by("dropped rows", 3, frame):
        rows = seen[:, 0, 0].astype(int)
        black, repeats = int((rows == 0).sum()), int((np.diff(rows) == 0).sum())
        if black == 17 and (rows[-17:] == 0).all() and (np.diff(rows[:83]) > 0).all():
            ways.append("close up")
        elif black == 17:
            assert (rows[rows > 0] == np.arange(50, 150)[rows > 0]).all()
            ways.append("black")
        else:
            assert black + repeats in (17, 16 + black) and (np.diff(rows[rows > 0]) >= 0).all()
            ways.append("repeated")
    assert min(ways.count(way) for way in ("close up", "black", "repeated")) > 3
