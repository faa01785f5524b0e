"""The optimiser of all tasks, and its schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from training.datasets.images import DataError

MOMENTUM = 0.95
# Of the quintic iteration that brings all singular values near 1 (Jordan 2024).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.AdamW):
    """Orthogonalised momentum for inner convolutions (Jordan 2024), AdamW for all else (Loshchilov 2019).

    It follows all directions that a batch asks for at one speed, rare ones as well, while AdamW follows
    frequent ones first. torch's own Muon takes matrices only, and computes in bf16, which many CPUs emulate.

    Args:
        groups: of parameters; those of a group with ``orthogonal`` are weights of convolutions.
        lr: learning rate; updates of both kinds have the same size (Liu et al. 2025, sec. 2.2). Those of a
            group with ``spectral`` are orthogonal matrices times the group's own rate (Jordan 2024).
        dtype: in which the matrices are multiplied; the direction needs no more than bf16.
    """

    def __init__(
        self, groups: list[dict[str, Any]], *, lr: float, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(groups, lr=lr)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"] if group["orthogonal"] else ():
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:  # AdamW needs a step in every state that it loads
                    state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(weight)}
                momentum = state["momentum"].lerp_(weight.grad, 1.0 - MOMENTUM)
                ahead = torch.lerp(weight.grad, momentum, MOMENTUM)
                rows, columns = len(weight), weight[0].numel()
                update = orthogonal(ahead.reshape(rows, columns).to(self.dtype)).view_as(ahead)
                weight.mul_(1.0 - group["lr"] * group["weight_decay"])
                size = max(1.0, rows / columns) if group.get("spectral") else 0.04 * max(rows, columns)
                weight.sub_(update, alpha=group["lr"] * size**0.5)
                weight.grad = None  # AdamW leaves it alone
        super().step()
        return loss


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix whose singular values are all about 1, by Newton–Schulz iteration.

    Args:
        matrix: (M, N), in the precision to compute in.
    """
    a, b, c = NEWTON_SCHULZ
    is_wide = matrix.shape[0] <= matrix.shape[1]
    wide = matrix if is_wide else matrix.T
    x: Tensor = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if is_wide else x.T


def one_cycle(
    module: L.LightningModule,
    *,
    lr: float,
    weight_decay: float,
    muon: bool,
    muon_lr: float | None = None,
    rise: float = 0.1,
) -> OptimizerLRScheduler:
    """:class:`Muon`, or AdamW for all, on a one-cycle schedule (Smith & Topin 2019), stepped every batch.

    The first and the last layer learn by AdamW, as Muon's author advises. Weight decay leaves biases and
    batch-norm parameters alone, because pulling a scale to zero is no regularisation.

    Args:
        module: what is trained.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        muon: inner convolutions learn by :class:`Muon`.
        muon_lr: their own peak, in the scale of spectral updates; the first layer learns likewise then.
        rise: share of the steps until the peak.

    Raises:
        DataError: no option says when training ends, or there is no step to make.
    """
    inner = inner_convolutions(module, with_first=muon_lr is not None) if muon else set()
    weights = [p for p in module.parameters() if p.ndim > 1]
    groups = [
        {
            "params": [p for p in weights if p in inner],
            "weight_decay": weight_decay,
            "orthogonal": True,
            "spectral": muon_lr is not None,
        },
        {"params": [p for p in weights if p not in inner], "weight_decay": weight_decay, "orthogonal": False},
        {
            "params": [p for p in module.parameters() if p.ndim <= 1],
            "weight_decay": 0.0,
            "orthogonal": False,
        },
    ]
    in_bf16 = module.trainer.precision.startswith("bf16")
    optimizer = Muon(groups, lr=lr, dtype=torch.bfloat16 if in_bf16 else torch.float32)
    if math.isinf(module.trainer.estimated_stepping_batches):
        raise DataError("a one-cycle schedule needs an end; give --trainer.max_epochs or --trainer.max_steps")
    steps = int(module.trainer.estimated_stepping_batches)
    if not steps:
        raise DataError(
            f"an epoch has no step, because each of {module.trainer.world_size} processes has fewer pictures "
            "than a batch; lower --data.batch_size"
        )
    # OneCycleLR divides by (steps of the rise - 1), so runs of a few steps need a larger share for the rise.
    rise = max(rise, min(0.9, 3 / steps))
    peaks = [muon_lr or lr, *[lr] * (len(groups) - 1)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=rise)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def inner_convolutions(module: nn.Module, *, with_first: bool = False) -> set[Tensor]:
    """Weights of all convolutions except the first and the last layer, and depthwise ones (no matrices)."""
    layers = [m for m in module.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    inner = layers[0 if with_first else 1 : -1]
    return {layer.weight for layer in inner if isinstance(layer, nn.Conv2d) and layer.groups == 1}
