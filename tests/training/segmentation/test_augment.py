"""Augmented street pictures still lie under their masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.segmentation.augment import mix_classes, scale_crop_flip


def test_things_of_another_picture_come_with_their_labels() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 4, (8, 12, 16))
    ids[:, 0] = 255
    shades = (ids + 10 * torch.arange(8).view(8, 1, 1))[:, None].float()  # tell class and picture
    frames, mixed = mix_classes(shades, ids, p=0.5)
    own = frames == shades
    assert torch.equal(frames, torch.where(own, shades, shades.roll(1, dims=0)))
    assert torch.equal(mixed, torch.where(own[:, 0], ids, ids.roll(1, dims=0)))
    assert own[:, 0, 0].all()  # an unlabelled pixel is laid over nothing
    whole = own.flatten(1).all(dim=1)
    assert 0 < whole.sum() < 8
    unchanged, _ = mix_classes(shades, ids, p=0.0)
    assert torch.equal(unchanged, shades)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_crops_keep_picture_and_mask_together(scale: float) -> None:
    mask = torch.zeros(60, 80, dtype=torch.uint8)
    mask[:, 40:] = 1
    frame = (mask * 200).expand(3, -1, -1).contiguous()
    rng = np.random.default_rng(0)
    for _ in range(10):
        crop, labels = scale_crop_flip(frame, mask, (48, 64), scale=(scale, scale), rng=rng)
        assert crop.shape == (3, 48, 64)
        assert labels.shape == (48, 64)
        counted = labels != 255
        agree = (crop[0] > 100) == (labels == 1)
        assert agree[counted].float().mean() > 0.95
        assert bool(counted.all()) == (scale == 2.0)


@pytest.mark.parametrize("scale", [0.7, 1.3, 1.7])
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_crops_shift_the_mask_by_no_fraction_of_a_pixel(scale: float, axis: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(60), torch.arange(80), indexing="ij")
    mask = (3 * (rows if axis == "rows" else columns)).to(torch.uint8)  # ids that tell the place
    frame = mask.expand(3, -1, -1).contiguous()
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(10):
        crop, labels = scale_crop_flip(frame, mask, (40, 40), scale=(scale, scale), rng=rng)
        shifts.append((labels.float() - crop[0].float()) / 3 * scale)
    assert abs(float(torch.stack(shifts).mean())) < 0.1
