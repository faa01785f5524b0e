"""What is fitted to a trained net's logits before it is exported."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

STEPS = (1.0, 0.5, 0.25)  # of the search for offsets, in logits
MOST_LOGITS = 20_000_000  # to search in; a hundred classes and more would take hours of it


def fit_temperature(logits: Tensor, ids: Tensor) -> float:
    """The temperature with the least cross entropy (Guo et al. 2017, sec. 4.2).

    Args:
        logits: (N, K).
        ids: (N,) the right classes.

    Returns:
        One of 61 values between 0.3 and 3.
    """
    candidates = torch.logspace(np.log10(0.3), np.log10(3.0), 61).tolist()
    best: float = min(candidates, key=lambda t: float(F.cross_entropy(logits / t, ids)))
    return best


def fit_offsets(logits: Tensor, ids: Tensor) -> Tensor:
    """One number per class, added to its logit, that make the mean IoU highest.

    Trained to name the likeliest class, a net gives pixels of rare classes to their neighbours; the mean IoU
    counts every class alike. Offsets against the classes' frequency are logit adjustment (Menon et al. 2021);
    here they are searched for, class by class, in ever smaller steps.

    Args:
        logits: (N, K), of training pixels.
        ids: (N,) the right classes.

    Returns:
        (K,) offsets.
    """
    classes = logits.shape[1]
    stride = -(-logits.numel() // MOST_LOGITS) or 1
    logits, ids = logits[::stride].clone(), ids[::stride]
    areas = torch.bincount(ids, minlength=classes)

    def miou() -> float:
        given = logits.argmax(dim=1)
        hits = torch.bincount(ids[given == ids], minlength=classes)
        union = areas + torch.bincount(given, minlength=classes) - hits
        return float((hits[areas > 0] / union[areas > 0]).mean())

    offsets, best = torch.zeros(classes), miou()
    for step in STEPS:
        for move in (step, -step):
            for class_id in range(classes):
                logits[:, class_id] += move
                while (score := miou()) > best:
                    best = score
                    offsets[class_id] += move
                    logits[:, class_id] += move
                logits[:, class_id] -= move
    return offsets
