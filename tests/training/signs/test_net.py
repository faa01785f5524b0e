"""The sign classifier weighs its features by their position."""

from __future__ import annotations

import pytest
import torch

from training.signs.net import SignNet


@pytest.mark.parametrize("size", [32, 48, 96])
def test_features_are_weighed_by_their_position_at_any_size(size: int) -> None:
    net = SignNet(5)
    frames = torch.rand(2, 3, size, size) * 255
    features = torch.rand(2, 128, size // 8, size // 8)
    net.features.register_forward_hook(lambda *_: features)
    torch.testing.assert_close(net.pooled(frames), features.mean(dim=(2, 3)), rtol=0.1, atol=0.0)
    with torch.no_grad():
        net.places.weight[..., :3] = 0.0
    before = net.pooled(frames)
    features[..., 0] = 9.0
    assert torch.equal(net.pooled(frames), before)  # the left does not count any more
    features[..., -1] = 9.0
    assert (net.pooled(frames) > before).all()
