"""Where pixels of a corrupted picture go, their truth goes: compared with what the picture itself shows."""

from __future__ import annotations

import numpy as np
import pytest

from training.corrupt.corruptions import SEVERITIES, corrupt
from training.corrupt.moved import NOWHERE, Moved

MOVING = ("rolling shutter", "dropped rows", "occlusion")
BOX = (30.0, 45.0, 62.0, 81.0)  # of a thing in one colour


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A frame whose grey says the class: 80 and 160 in two halves, 240 inside the box; and the classes."""
    ids = np.zeros((120, 160), np.uint8)
    ids[:, 90:] = 1
    x1, y1, x2, y2 = map(int, BOX)
    ids[y1:y2, x1:x2] = 2
    return np.repeat((80 + 80 * ids)[..., None], 3, axis=2), ids


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_mask_is_what_the_picture_shows(name: str, severity: int) -> None:
    frame, ids = picture()
    for seed in range(6):
        given = corrupt(name, frame, severity=severity, rng=np.random.default_rng(seed), is_crop=False)
        mask = given.moved.mask(ids)
        shown = np.rint(given.frame[..., 0].astype(float) / 80 - 1)
        counts = mask != 255
        assert (shown[counts] == mask[counts]).mean() > 0.97  # but pixels that two classes share
        assert {*np.unique(mask)} <= {0, 1, 2, 255}
        assert 0.5 < counts.mean() < 1.0 or (name == "rolling shutter" and severity < 3)


@pytest.mark.parametrize("name", MOVING[:2])
def test_the_box_is_around_what_the_picture_shows_of_the_thing(name: str) -> None:
    frame, _ = picture()
    for severity in SEVERITIES:
        for seed in range(6):
            given = corrupt(name, frame, severity=severity, rng=np.random.default_rng(seed), is_crop=False)
            (box,), (seen,) = given.moved.boxes(np.array([BOX]))
            mask = given.moved.mask(picture()[1])
            rows, columns = np.nonzero(mask == 2)
            wanted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert box == pytest.approx(wanted, abs=1.01)
            assert seen == pytest.approx((mask == 2).sum() / (32 * 36), abs=0.05)


def test_a_thing_under_a_patch_is_hardly_seen_and_one_beside_it_is() -> None:
    hidden = np.zeros((120, 160), np.bool_)
    hidden[40:90, 20:55] = True
    moved = Moved(np.arange(120), np.zeros(120), hidden)
    boxes, seen = moved.boxes(np.array([BOX, (100.0, 10.0, 120.5, 30.25)]))
    assert boxes.tolist() == [list(BOX), [100.0, 10.0, 120.5, 30.25]]
    assert seen == pytest.approx([7 / 32, 1.0])


def test_a_thing_whose_rows_are_all_gone_is_not_seen() -> None:
    rows = np.arange(120)
    rows[40:90] = NOWHERE
    moved = Moved(rows, np.zeros(120), np.zeros((120, 160), np.bool_))
    boxes, seen = moved.boxes(np.array([BOX]))
    assert boxes.tolist() == [list(BOX)] and seen.tolist() == [0.0]
    assert moved.boxes(np.empty((0, 4)))[0].shape == (0, 4)


def test_what_leaves_the_picture_is_seen_in_part() -> None:
    moved = Moved(np.arange(120), np.full(120, -46.0), np.zeros((120, 160), np.bool_))
    (box,), (seen,) = moved.boxes(np.array([BOX]))
    assert box.tolist() == [0.0, 45.0, 16.0, 81.0] and seen == pytest.approx(0.5)
    mask = moved.mask(picture()[1])
    assert (mask[:, 114:] == 255).all() and (mask[:, :114] != 255).all()


@pytest.mark.parametrize("name", ["fog", "tint", "motion blur"])
def test_what_does_not_move_keeps_its_truth(name: str) -> None:
    frame, ids = picture()
    moved = corrupt(name, frame, severity=5, rng=np.random.default_rng(0), is_crop=False).moved
    assert (moved.mask(ids) == ids).all()
    boxes, seen = moved.boxes(np.array([(3.25, 4.5, 10.75, 20.125)]))
    assert boxes.tolist() == [[3.25, 4.5, 10.75, 20.125]] and seen == pytest.approx([1.0])
