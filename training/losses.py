"""Losses that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def class_weights(shares: Tensor) -> Tensor:
    """Weights against class imbalance, 1 / ln(1.10 + share), for a cross entropy that is a weighted mean.

    After ENet (Paszke et al. 2016, sec. 5.2), which has 1.02 for 1.10: there the rarest class may weigh 36
    times as much as the most frequent one, here 8 times.

    Args:
        shares: (K,) share of the pixels that each class has, sums to 1.

    Returns:
        (K,) weights.
    """
    return 1.0 / torch.log(1.10 + shares)


def soft_iou(logits: Tensor, ids: Tensor) -> Tensor:
    """1 − intersection over union on probabilities, over the classes in the batch (Rahman & Wang 2016).

    Cross entropy counts pixels; this counts what the mIoU does, so small classes weigh as much as large ones.

    Args:
        logits: (N, K, H, W).
        ids: (N, H, W) class ids; what is no class (255) does not count.

    Returns:
        The mean over the classes that occur, in 0…1; 0 if none does.
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
    # Chosen before the division: of an absent class it may be 0 / 0, whose gradient is no number.
    iou = hits[present] / (area + shares.sum(dim=0) - hits)[present]
    return 1.0 - iou.mean()


def batch_hard_triplet(features: Tensor, ids: Tensor, *, margin: float = 0.3) -> Tensor:
    """How much the farthest of its own class is not nearer than the nearest of another (Hermans et al. 2017).

    Args:
        features: (N, F), compared by direction.
        ids: (N,) class ids.
        margin: by which it should be nearer, in cosine distance.

    Returns:
        The mean over the batch.
    """
    unit = F.normalize(features, dim=1)
    distance = 1.0 - unit @ unit.T
    same = ids[:, None] == ids
    farthest = distance.masked_fill(~same, -1.0).amax(dim=1)
    nearest = distance.masked_fill(same, 3.0).amin(dim=1)
    return F.relu(farthest - nearest + margin).mean()
