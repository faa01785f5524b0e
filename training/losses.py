"""Losses that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor


def class_weights(shares: Tensor) -> Tensor:
    """Weights against class imbalance, 1 / ln(1.10 + share) (Paszke et al. 2016, ENet, sec. 5.2, c = 1.10).

    Args:
        shares: (K,) share of the pixels that each class has, sums to 1.

    Returns:
        (K,) weights, scaled to a mean of 1 so that the learning rate keeps its meaning.
    """
    weights = 1.0 / torch.log(1.10 + shares)
    return weights / weights.mean()
