"""Losses that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor


def class_weights(shares: Tensor) -> Tensor:
    """Weights against class imbalance, 1 / ln(1.10 + share), for a cross entropy that is a weighted mean.

    After ENet (Paszke et al. 2016, sec. 5.2), which has 1.02 instead of 1.10: there the rarest class may
    weigh 36 times as much as the most frequent one, here 8 times.

    Args:
        shares: (K,) share of the pixels that each class has, sums to 1.

    Returns:
        (K,) weights.
    """
    return 1.0 / torch.log(1.10 + shares)


def soft_iou(logits: Tensor, ids: Tensor) -> Tensor:
    """1 − intersection over union on probabilities, over the classes in the batch (Rahman & Wang 2016).

    Cross entropy counts pixels. This loss counts classes, as the mIoU does, so small classes weigh as much as
    large ones.

    Args:
        logits: (N, K, H, W).
        ids: (N, H, W) class ids; pixels without a class (255) do not count.

    Returns:
        The mean over the classes that occur, in 0…1; 0 if none occurs.
    """
    classes = logits.shape[1]
    counts = ids < classes
    shares = logits.softmax(dim=1).movedim(1, -1)[counts]  # (P, K)
    wanted = ids[counts]
    area = torch.bincount(wanted, minlength=classes)
    hits = shares.new_zeros(classes).index_add(0, wanted, shares.gather(1, wanted[:, None])[:, 0])
    present = area > 0
    if not bool(present.any()):
        return logits.sum() * 0.0
    # Absent classes are left out before the division: theirs may be 0 / 0, whose gradient is no number.
    iou = hits[present] / (area + shares.sum(dim=0) - hits)[present]
    return 1.0 - iou.mean()
