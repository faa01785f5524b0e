"""Muon follows all directions at one speed."""

from __future__ import annotations

import pytest
import torch

from training.optimizer import Muon, inner_convolutions
from training.signs.net import SignNet


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_muon_follows_rare_directions_as_fast_as_frequent_ones(dtype: torch.dtype) -> None:
    net = SignNet(5)
    inner = inner_convolutions(net)
    assert len(inner) == 5  # all but the stem and the depthwise one; the last layer is linear
    weight = net.features[3].weight
    assert weight in inner
    before, head = weight.detach().clone(), net.head[1].weight.detach().clone()
    rows, columns = len(weight), weight[0].numel()
    u, _, v = torch.linalg.svd(torch.randn(rows, columns), full_matrices=False)
    strength = torch.logspace(0, -2, rows)  # the strongest direction 100 times the weakest
    groups = [
        {"params": [weight], "orthogonal": True, "weight_decay": 0.0},
        {"params": [net.head[1].weight], "orthogonal": False, "weight_decay": 0.0},
    ]
    optimizer = Muon(groups, lr=0.01, dtype=dtype)
    weight.grad = (u * strength @ v).view_as(weight)
    net.head[1].weight.grad = torch.ones_like(head)
    optimizer.step()
    moved = (before - weight.detach()).view(rows, columns)
    # Down the gradient, and each of its directions about as far.
    step = 0.01 * 0.2 * max(rows, columns) ** 0.5
    along = (u.T @ moved @ v.T).diagonal() / step
    assert along.min() > 0.3 and along.max() < 1.3
    torch.testing.assert_close(net.head[1].weight.detach(), head - 0.01)

    # Momentum goes on without a gradient; what decays is the weight.
    middle = weight.detach().clone()
    for group in optimizer.param_groups:
        group["weight_decay"] = 0.5
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    moved = (middle * (1 - 0.01 * 0.5) - weight.detach()).view(rows, columns)
    along = (u.T @ moved @ v.T).diagonal() / step
    assert along.min() > 0.3 and along.max() < 1.3


def test_spectral_updates_are_orthogonal_matrices_times_their_rate() -> None:
    weight = torch.nn.Parameter(torch.zeros(8, 4, 1, 1))
    group = {"params": [weight], "orthogonal": True, "spectral": True, "weight_decay": 0.0, "lr": 0.1}
    weight.grad = torch.randn(8, 4, 1, 1, generator=torch.Generator().manual_seed(0))
    Muon([group], lr=1.0).step()
    # Of a tall matrix, larger by the root of rows to columns (Jordan 2024).
    sizes = torch.linalg.svdvals(weight.detach()[..., 0, 0]) / (0.1 * 2**0.5)
    assert sizes.min() > 0.6 and sizes.max() < 1.3


def test_the_first_layer_may_be_among_them() -> None:
    net = SignNet(5)
    assert len(inner_convolutions(net, with_first=True)) == 6
    assert net.features[0].weight in inner_convolutions(net, with_first=True)
