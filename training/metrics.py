"""Measures of a finished model that torchmetrics has no ready name for, from one confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def precision_recall_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per class.

    Args:
        confusion: (K, K) counts, rows are true classes.

    Returns:
        (K, 3) precision, recall and F1 in 0…1; NaN where a class never occurs.
    """
    hits = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore"):
        precision, recall = hits / confusion.sum(axis=0), hits / confusion.sum(axis=1)
        f1 = 2 * hits / (confusion.sum(axis=0) + confusion.sum(axis=1))
    return np.stack([precision, recall, f1], axis=1)


def iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) intersection over union per class, NaN where a class never occurs; their mean is the mIoU."""
    hits = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore"):
        return hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)


def calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], *, bins: int = 15
) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): how far confidence and accuracy are apart.

    Args:
        confidence: (N,) in 0…1.
        correct: (N,) whether each answer was right.
        bins: of equal width.
    """
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    gap = np.bincount(which, correct, bins) - np.bincount(which, confidence, bins)
    return float(np.abs(gap).sum() / count.sum())
