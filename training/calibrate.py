"""What is fitted to a trained net's logits before it is exported."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


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
