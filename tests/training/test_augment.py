"""What training does to the pictures of both tasks."""

from __future__ import annotations

import torch

from training.augment import color_jitter


def test_color_jitter_keeps_black_and_the_range() -> None:
    torch.manual_seed(0)
    frames = torch.rand(32, 3, 8, 8)
    frames[0] = 0.0
    changed = color_jitter(frames, brightness=2.0, contrast=1.5, saturation=1.5, tint=0.1)
    assert 0.0 <= changed.min() <= changed.max() <= 1.0
    assert not changed[0].any()
    assert (changed[1:] - frames[1:]).abs().mean() > 0.05
