"""Max pooling that remembers where each maximum was, and its inverse.

SegNet's decoder needs both, and TensorRT's parser takes neither ``max_pool2d(return_indices=True)`` nor
``max_unpool2d``. Here the position of a maximum is a *phase*, 0…3 inside its 2×2 window: two bits instead of
a 64-bit index. PyTorch computes it by those two functions, and the exported graph by convolutions that pick a
corner, comparisons and concatenations alone. The results are the same bit for bit, except that filling a
window rounds.

Pooling and unpooling are each other's gradient, so training keeps one byte a window and no copy of the input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F


def pool(x: Tensor) -> tuple[Tensor, Tensor]:
    """2×2 max pooling with stride 2 (Badrinarayanan et al. 2017, sec. 3).

    Args:
        x: (N, C, H, W), H and W even; pad odd sizes first.

    Returns:
        The maxima (N, C, H/2, W/2), and their phases in {0, 1, 2, 3}, row-major in the window: uint8, or
        int32 while exporting, because TensorRT has uint8 only as an input and output type. Of equal values
        the first one wins, as in ``torch.max_pool2d``, and it alone gets the gradient.

    Raises:
        ValueError: H or W is odd.
    """
    height, width = x.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f"pool needs even sizes, got {height}×{width}; pad the input first")
    return _Pool.apply(x) if x.requires_grad else _pool(x)  # type: ignore[no-untyped-call]


def unpool(x: Tensor, phase: Tensor, fill: Tensor | None = None) -> Tensor:
    """Put each pooled value back to its position before pooling (Badrinarayanan et al. 2017, sec. 3.2).

    Args:
        x: (N, C, H, W) decoder features.
        phase: (N, C, H, W) in {0, 1, 2, 3}, from :func:`pool`.
        fill: (N, C, H, W), for the other three positions of each window; zero if left out, as in the paper.

    Returns:
        (N, C, 2H, 2W).
    """
    if fill is None:
        if x.requires_grad:
            return _Unpool.apply(x, phase)  # type: ignore[no-untyped-call, no-any-return]
        return _unpool(x, phase)
    if torch.onnx.is_in_onnx_export():
        return unpool_for_export(x, phase, fill)
    return unpool(x - fill, phase) + F.interpolate(fill, scale_factor=2.0)


def _pool(x: Tensor) -> tuple[Tensor, Tensor]:
    if torch.onnx.is_in_onnx_export():
        return pool_for_export(x)
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    is_low = indices - _corners(pooled) >= x.shape[-1]
    return pooled, (indices.to(torch.uint8) & 1) | (is_low.to(torch.uint8) << 1)  # widths are even


def _unpool(x: Tensor, phase: Tensor) -> Tensor:
    # torch refuses max_unpool2d in deterministic mode because two values might have one index; here none do.
    if torch.onnx.is_in_onnx_export() or torch.are_deterministic_algorithms_enabled():
        return unpool_for_export(x, phase)
    return F.max_unpool2d(x, _indices(phase), [2, 2])


def _corners(pooled: Tensor) -> Tensor:
    """(H, W) index of each window's first value in the picture of 2H × 2W, as torch's poolings count."""
    height, width = pooled.shape[-2:]
    rows = torch.arange(height, device=pooled.device)[:, None]
    return rows * (4 * width) + torch.arange(width, device=pooled.device) * 2


def _indices(phase: Tensor) -> Tensor:
    """Phases as the indices of torch's pooling: row-major in the whole picture."""
    return _corners(phase) + (phase & 1) + (phase >> 1).long() * (2 * phase.shape[-1])


def pool_for_export(x: Tensor) -> tuple[Tensor, Tensor]:
    """What :func:`pool` computes, in operators that every parser takes; phases are int32."""
    top_left, top_right, low_left, low_right = (corner(x, k) for k in range(4))
    top_is_right = top_right > top_left
    low_is_right = low_right > low_left
    top = torch.maximum(top_left, top_right)
    low = torch.maximum(low_left, low_right)
    phase = torch.where(low > top, 2 + low_is_right.int(), top_is_right.int())
    return torch.maximum(top, low), phase


def corner(x: Tensor, phase: int) -> Tensor:
    """One of the four values of each 2×2 window, (N, C, H/2, W/2).

    A convolution picks it, because ONNX Runtime's slices take several times as long on a CPU.
    """
    channels = x.shape[1]
    picks = F.one_hot(torch.tensor(phase), 4).to(x).view(1, 1, 2, 2).repeat(channels, 1, 1, 1)
    return F.conv2d(x, picks, stride=2, groups=channels)


def unpool_for_export(x: Tensor, phase: Tensor, fill: Tensor | None = None) -> Tensor:
    """What :func:`unpool` computes, in operators that every parser takes."""
    if fill is None:
        fill = torch.zeros((), dtype=x.dtype, device=x.device)
    top_left, top_right, low_left, low_right = (torch.where(phase == k, x, fill) for k in range(4))
    # Interleaved by hand: on a CPU, ONNX Runtime takes half the time of DepthToSpace.
    top = torch.stack([top_left, top_right], dim=-1).flatten(-2)  # (N, C, H, 2W)
    low = torch.stack([low_left, low_right], dim=-1).flatten(-2)
    return torch.stack([top, low], dim=-2).flatten(-3, -2)  # (N, C, 2H, 2W)


class _Pool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        pooled, phase = _pool(x)
        ctx.save_for_backward(phase)
        ctx.mark_non_differentiable(phase)
        return pooled, phase

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (phase,) = ctx.saved_tensors
        return unpool(gradients[0], phase)


class _Unpool(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, phase: Tensor) -> Tensor:
        ctx.save_for_backward(phase)
        return _unpool(x, phase)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (phase,) = ctx.saved_tensors
        n, c, h, w = phase.shape
        # Channels last, as the convolutions around it want their gradients.
        indices = _indices(phase) * c + torch.arange(c, device=phase.device)[:, None, None]
        flat = gradients[0].permute(0, 2, 3, 1).reshape(n, -1)
        gathered = flat.gather(1, indices.permute(0, 2, 3, 1).reshape(n, -1))
        return gathered.view(n, h, w, c).permute(0, 3, 1, 2), None
