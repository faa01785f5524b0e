"""Outlines of signs become masks, whatever happens to the classes' numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.datasets import gtsrb as gtsrb_reader
from training.signs.data import SignData, flip_table, in_order, read, without
from training.signs.outlines import masks


def test_a_mask_covers_the_sign_and_not_the_corners() -> None:
    drawn = masks(gtsrb_reader.OUTLINES, 43, (48, 48))
    assert drawn.shape == (44, 48, 48)
    assert (drawn[:43, 26, 24] > 0.99).all()
    assert (drawn[:43, [0, 0], [0, 47]] < 0.35).all()
    assert not drawn[43].any()  # "no known sign" has no outline
    yield_up, warning_up = drawn[13, :12].sum(), drawn[18, :12].sum()
    assert yield_up > 3 * warning_up  # one stands on its tip
    areas = drawn[[2, 12, 14, 18]].mean(dim=(1, 2)).tolist()
    assert areas == pytest.approx([0.58, 0.39, 0.59, 0.38], abs=0.05)


def test_without_outlines_there_are_no_masks(class_folders: Path) -> None:
    assert len(masks({}, 5, (8, 8))) == 0
    data = SignData(str(class_folders), size=16)
    data.setup()
    assert len(data.outlines) == 0


def test_outlines_follow_their_classes(gtsrb: Path) -> None:
    signs = read(gtsrb)
    rest, _ = without(signs, ("Speed limit 30",))
    stop = rest.labels.index("Stop")
    assert rest.outlines[stop] == gtsrb_reader.STOP and rest.outlines[0] == ()
    backwards = in_order(signs, signs.labels[::-1])
    assert backwards.outlines[backwards.labels.index("Give way")] == gtsrb_reader.DOWN
    data = SignData(str(gtsrb), size=16, hold_out=("Speed limit 30",))
    data.setup()
    assert torch.equal(data.outlines, masks(data.signs.outlines, 42, (16, 16)))
    assert len(flip_table(rest)) == len(data.outlines)
