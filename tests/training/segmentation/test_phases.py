"""Pooling in phases is torch's own pooling and unpooling, bit for bit, in training and when exported."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training.segmentation.net import SegNet, SegNetCompact
from training.segmentation.phases import pool, pool_for_export, unpool, unpool_for_export

CASES = {
    "random": torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(0)),
    "tied": torch.randint(0, 3, (2, 3, 16, 12), generator=torch.Generator().manual_seed(0)).float(),
    "zero": torch.zeros(1, 2, 4, 4),
    "negative": -torch.rand(1, 4, 6, 6, generator=torch.Generator().manual_seed(0)),
}


@pytest.mark.parametrize("name", CASES)
def test_forward_and_gradient_equal_torch(name: str) -> None:
    ours, theirs = (CASES[name].clone().requires_grad_() for _ in range(2))
    pooled, phase = pool(ours)
    expected, indices = F.max_pool2d(theirs, 2, return_indices=True)
    assert torch.equal(pooled, expected)
    full, expected_full = unpool(pooled, phase), F.max_unpool2d(expected, indices, 2)
    assert torch.equal(full, expected_full)
    weights = torch.rand_like(full)
    (full * weights).sum().backward()
    (expected_full * weights).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize("name", CASES)
def test_deterministic_unpooling_is_the_same(name: str) -> None:
    pooled, phase = pool(CASES[name])
    expected = unpool(pooled, phase)
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(unpool(pooled, phase), expected)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", CASES)
def test_what_is_exported_equals_torch(name: str) -> None:
    pooled, phase = pool_for_export(CASES[name])
    expected, indices = F.max_pool2d(CASES[name], 2, return_indices=True)
    assert torch.equal(pooled, expected)
    assert torch.equal(phase, pool(CASES[name])[1].int())
    values = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(unpool_for_export(values, phase), F.max_unpool2d(values, indices, 2))


def test_gradient_of_values_that_did_not_come_from_this_pooling() -> None:
    _, phase = pool(CASES["random"])
    values = torch.randn(phase.shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: unpool(x, phase), values)


def test_what_is_filled_in_leaves_the_values_at_their_places() -> None:
    values, fill = (torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    _, phase = pool(CASES["random"])
    full = unpool(values, phase, fill)
    holds_value = unpool(torch.ones_like(values), phase).bool()
    assert torch.allclose(full[holds_value], unpool(values, phase)[holds_value])
    assert torch.equal(full[~holds_value], F.interpolate(fill, scale_factor=2)[~holds_value])
    assert torch.allclose(unpool_for_export(values, phase, fill), full)
    both = (values.double().requires_grad_(), fill.double().requires_grad_())
    assert torch.autograd.gradcheck(lambda x, others: unpool(x, phase, others), both)


@pytest.mark.parametrize("size", [(5, 4), (4, 5)])
def test_odd_sizes_are_refused_with_the_remedy(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="pad"):
        pool(torch.zeros(1, 1, *size))


def test_an_export_takes_only_operators_that_every_parser_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        pytest.fail("TensorRT's parser does not take it")

    values, fill = (torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    pooled, phase = pool(CASES["random"])
    plain = unpool(values, phase)
    monkeypatch.setattr(torch.onnx, "is_in_onnx_export", lambda: True)
    for name in ("max_pool2d", "max_unpool2d", "interpolate"):
        monkeypatch.setattr(F, name, refused)
    exported, exported_phase = pool(CASES["random"])
    assert torch.equal(exported, pooled) and torch.equal(exported_phase, phase.int())
    assert exported_phase.dtype == torch.int32  # uint8 is for inputs and outputs only
    assert torch.equal(unpool(values, exported_phase), plain)
    kept = torch.where(unpool(torch.ones_like(values), exported_phase).bool(), plain, 0)
    filled = unpool(values, exported_phase, fill)
    assert torch.equal(torch.where(kept != 0, filled, 0), kept)  # no rounding by what is filled in


def test_training_keeps_one_byte_for_each_window() -> None:
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    x = torch.randn(2, 3, 8, 10, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        pooled, phase = pool(x)
        unpool(pooled, phase)
    assert {tensor.dtype for tensor in kept} == {torch.uint8}
    assert {tensor.numel() for tensor in kept} == {x.numel() // 4}
    assert not phase.requires_grad


@pytest.mark.parametrize("net", [SegNet, SegNetCompact])
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_nets_answer_at_the_size_of_the_input(net: type[torch.nn.Module], size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert net(5).eval()(torch.zeros(1, 3, *size)).shape == (1, 5, *size)
