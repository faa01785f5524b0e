"""Augmented crops are still what their class says."""

from __future__ import annotations

import pytest
import torch

from training.datasets import gtsrb as gtsrb_reader
from training.signs.augment import SignAugment, coarsen, deform, haze, hide, jpeg, noise, weather


def test_flips_change_the_class_or_do_not_happen() -> None:
    keep_right, keep_left, stop = 38, 39, 14
    table = torch.full((44,), -1)
    for class_id, mirrored in gtsrb_reader.FLIPS.items():
        table[class_id] = mirrored
    ids = torch.tensor([keep_right, stop] * 50)
    torch.manual_seed(0)
    _, changed = SignAugment()(torch.zeros(100, 3, 16, 16, dtype=torch.uint8), ids, table)
    assert set(changed[::2].tolist()) == {keep_right, keep_left}
    assert set(changed[1::2].tolist()) == {stop}


def test_deformed_signs_are_no_signs_and_the_others_stay_as_they_are() -> None:
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (60, 3, 16, 16), dtype=torch.uint8)
    ids = torch.arange(60) % 3
    changed, new_ids = deform(frames, ids, p=0.5, no_sign=3)
    told = new_ids == 3
    differ = (changed != frames).flatten(1).any(dim=1)
    assert torch.equal(told, differ)
    assert 20 <= told.sum() <= 35  # blending two of one class changes nothing


def test_small_batches_get_every_kind_of_deformed_signs() -> None:
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    kinds = {"as it was": 0, "negative": 0, "shifted": 0, "blended": 0}
    for _ in range(500):
        changed, ids = deform(frames, torch.arange(4), p=0.3, no_sign=4)
        for one, was in zip(changed[ids == 4], frames[ids == 4]):
            is_moved = torch.equal(one.flatten().sort().values, was.flatten().sort().values)
            kinds["negative" if torch.equal(one, 255 - was) else "shifted" if is_moved else "blended"] += 1
        kinds["as it was"] += int((ids < 4).sum())
    assert kinds.pop("as it was") == pytest.approx(0.7 * 2000, rel=0.1)
    assert all(count == pytest.approx(0.1 * 2000, rel=0.25) for count in kinds.values()), kinds


def test_what_hides_a_sign_leaves_most_of_the_pictures_alone() -> None:
    torch.manual_seed(0)
    frames = torch.rand(400, 3, 16, 16)
    for spoil in (haze, hide, weather, coarsen, noise, jpeg):
        scale = 255.0 if spoil is jpeg else 1.0
        spoilt = spoil(frames * scale, p=0.25) / scale
        changed = (spoilt - frames).flatten(1).abs().amax(dim=1) > 0.02
        assert 0.1 < changed.float().mean() < 0.35, spoil.__name__
        assert 0.0 <= spoilt.min() <= spoilt.max() <= 1.0


def test_fog_is_thicker_here_than_there() -> None:
    torch.manual_seed(0)
    frames = torch.full((400, 3, 16, 16), 0.5)
    frames[..., ::2] = 0.0
    contrast = (haze(frames, p=1.0).diff(dim=-1).abs() / 0.5)[:, 0]  # 1 where nothing is in the way
    uneven = contrast.flatten(1).amax(dim=1) - contrast.flatten(1).amin(dim=1)
    assert 0.15 < uneven.median() < 0.5


def test_without_spoiling_a_crop_loses_nothing_but_place_and_light() -> None:
    torch.manual_seed(0)
    frames = torch.full((64, 3, 16, 16), 100, dtype=torch.uint8)
    ids, table = torch.zeros(64, dtype=torch.long), torch.tensor([-1])
    even = {
        spoil: SignAugment(spoil)(frames, ids, table)[0][..., 4:12, 4:12].std(dim=(2, 3)).amax(dim=1) < 0.5
        for spoil in (0.0, 2.0)
    }
    assert even[0.0].all()
    assert even[2.0].float().mean() < 0.3
