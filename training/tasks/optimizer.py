"""The one optimiser that both tasks use."""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler


def one_cycle(module: L.LightningModule, *, lr: float, weight_decay: float) -> OptimizerLRScheduler:
    """AdamW (Loshchilov & Hutter 2019) on a one-cycle schedule (Smith & Topin 2019), stepped every batch.

    Weight decay leaves biases and batch-norm parameters alone: pulling a scale to zero is no regularisation.
    """
    decayed = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}], lr=lr
    )
    steps = int(module.trainer.estimated_stepping_batches)
    # OneCycleLR divides by (steps of the rise - 1): trial runs of a few steps need a longer share for it.
    rise = max(0.1, min(0.9, 3 / steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=rise)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
