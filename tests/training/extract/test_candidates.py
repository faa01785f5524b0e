"""A scan keeps the sharpest frame of each stretch, and no more of them than it may."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from perception.errors import FrameError
from perception.recordings.shots import Shot, Source
from training.extract.candidates import scan, sharpness, thumbnail


def frame(index: int, *, contrast: int = 100) -> np.ndarray:
    """A chessboard of a grey that tells the frame."""
    board = np.indices((30, 40)).sum(axis=0) % 2 * contrast
    return np.repeat((board + index)[..., None], 3, axis=2).astype(np.uint8)


def drive(count: int, *, sharp: tuple[int, ...] = (), bad: tuple[int, ...] = ()) -> Source:
    def shots() -> Iterator[Shot]:
        for index in range(count):
            image = None if index in bad else frame(index % 50, contrast=200 if index in sharp else 100)
            error = FrameError("data", "cut off") if index in bad else None
            yield Shot(index * 10, index * 10, "", "camera", image, error, None, 0.0)

    return Source("drive", count, 30.0, 0, shots)


def judged(image: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    return image[0, 0, :1].astype(np.float32), (0.5,)


def test_a_short_drive_is_kept_frame_by_frame_but_for_bad_ones() -> None:
    seen: list[int] = []
    found = scan([drive(6, bad=(2,)), drive(3)], judged, lambda: seen.append(1))
    assert [(one.source, one.index) for one in found.candidates] == [
        *((0, 0), (0, 1), (0, 3), (0, 4), (0, 5)),
        *((1, 0), (1, 1), (1, 2)),
    ]
    assert (found.frames, found.bad, len(seen)) == (9, 1, 9)
    assert found.candidates[4].stamp_ns == 50
    assert found.candidates[4].look.tolist() == [5.0] and found.candidates[4].unsure == (0.5,)


def test_a_long_drive_keeps_the_sharpest_of_each_stretch() -> None:
    sharp = tuple(range(3, 400, 8))  # one in eight frames
    found = scan([drive(400, sharp=sharp)], judged, lambda: None, most=100)
    indices = [one.index for one in found.candidates]
    assert 50 <= len(indices) < 100
    assert indices == sorted(indices) and indices[0] < 8 and indices[-1] >= 392
    assert set(sharp) <= set(indices)


def test_a_blurred_frame_is_less_sharp_at_any_size() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
    blurred = np.asarray((picture // 2 + np.roll(picture, 1, axis=1) // 2), np.uint8)
    large = picture.repeat(4, axis=0).repeat(4, axis=1)
    assert sharpness(blurred) < 0.8 * sharpness(picture)
    assert abs(sharpness(large) / sharpness(picture) - 1) < 0.01


def test_a_look_without_a_net_is_a_small_picture() -> None:
    look = thumbnail(np.full((30, 40, 3), 255, np.uint8))
    assert look.shape == (12 * 9 * 3,) and bool((look == 1.0).all())
