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


def test_training_weighs_positions_as_the_exported_net_does() -> None:
    torch.manual_seed(0)
    net = SignNet(5).eval()
    with torch.no_grad():
        net.places.weight.normal_()
    frames = torch.rand(2, 3, 64, 64) * 255
    wanted = net.pooled(frames)
    net.places.training = True
    net.training = True  # the layers before it stay as they are
    torch.testing.assert_close(net.pooled(frames), wanted, rtol=1e-4, atol=1e-4)


def test_the_net_costs_what_it_says() -> None:
    assert sum(p.numel() for p in SignNet(43).parameters()) == pytest.approx(0.44e6, rel=0.01)
    assert SignNet(43).features(torch.zeros(1, 3, 64, 64)).shape[-2:] == (8, 8)
