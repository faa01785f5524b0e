"""Measures of a finished model, from what the runtime gives: NumPy arrays.

A confusion matrix of all pictures takes the space of none of them. Where torchmetrics has the same measure,
the tests compare both.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED


def confusion_matrix(wanted: NDArray[Any], given: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """(K, K + 1) counts of pictures or pixels, rows are true classes; the last column is no class.

    Args:
        wanted: true class ids of any shape; those from K on are unlabelled and do not count.
        given: the model's class ids, of the same shape.
        classes: K.
    """
    counts = wanted < classes
    flat = wanted[counts].astype(np.int64) * (classes + 1) + np.minimum(given[counts], classes)
    return np.bincount(flat, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def precision_recall_f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per class.

    Args:
        confusion: (K, K) counts, rows are true classes.

    Returns:
        (K, 3) precision, recall and F1 in 0…1. NaN: precision where a class is never answered, recall where
        it never occurs, F1 where neither.
    """
    hits = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore"):
        precision, recall = hits / confusion.sum(axis=0), hits / confusion.sum(axis=1)
        f1 = 2 * hits / (confusion.sum(axis=0) + confusion.sum(axis=1))
    return np.stack([precision, recall, f1], axis=1)


def iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) intersection over union per class, NaN where it neither occurs nor is answered.

    Args:
        confusion: (K, K + 1) pixels, rows are true classes, columns answers; the last is "no class".
    """
    hits = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore"):
        overlap: NDArray[np.float64] = hits / (confusion[:, :-1].sum(axis=0) + confusion.sum(axis=1) - hits)
    return overlap


def miou(confusion: NDArray[np.int64]) -> float:
    """Mean intersection over union of the classes that occur or are answered; NaN if none does.

    Args:
        confusion: as :func:`iou` takes it.
    """
    return mean(iou(confusion))


def mean(values: NDArray[np.floating]) -> float:
    """Of those that are numbers; NaN, without a warning, where none is."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if numbers.size else float("nan")


def reliability(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], *, bins: int = 15
) -> NDArray[np.float64]:
    """What a reliability diagram shows (Guo et al. 2017, fig. 1).

    Args:
        confidence: (N,) in 0…1.
        correct: (N,) whether each answer was right.
        bins: of equal width.

    Returns:
        (bins, 3) mean confidence, accuracy and share of all answers in 0…1; the first two are NaN where a bin
        is empty.
    """
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    sums = np.stack([np.bincount(which, values, bins) for values in (confidence, correct)], axis=1)
    with np.errstate(invalid="ignore"):
        return np.column_stack([sums / count[:, None], count / count.sum()])


def calibration_error(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], *, bins: int = 15
) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): how far confidence and accuracy are apart.

    Args:
        confidence: (N,) in 0…1.
        correct: (N,) whether each answer was right.
        bins: of equal width.
    """
    mean, accuracy, share = reliability(confidence, correct, bins=bins).T
    return float(np.nansum(np.abs(accuracy - mean) * share))


def false_alarms(signs: NDArray[np.floating], background: NDArray[np.floating], *, accepted: float) -> float:
    """The share of background that passes where the threshold lets a given share of the signs pass.

    With ``accepted=0.95`` this is what papers on unknown inputs call FPR95.

    Args:
        signs: (N,) how sure the model is that each sign is a known one.
        background: (M,) the same for pictures without a known sign.
        accepted: share of the signs that must pass, 0…1.
    """
    threshold = np.quantile(signs, 1 - accepted, method="lower")
    return float(np.mean(background >= threshold))


def boundary_f1(
    wanted: NDArray[np.uint8], given: NDArray[np.uint8], *, classes: int, tolerance: float = 0.0075
) -> NDArray[np.float64]:
    """How well the outlines of one picture's classes agree: the BF score of Csurka et al. 2013.

    Precision is the share of the answer's outline that has the true one nearby, recall the share of the true
    outline that has the answer's nearby. Outlines run between two labelled classes only; what is unlabelled
    in the truth counts on neither side. A data set's BF is the mean over the classes of a picture, then over
    the pictures, as in the paper on SegNet (Badrinarayanan et al. 2017).

    Args:
        wanted: (H, W) true class ids, 255 = unlabelled.
        given: (H, W) the model's.
        classes: K.
        tolerance: what is nearby, as a share of the picture's diagonal.

    Returns:
        (K,) F1 in 0…1; NaN for a class that has no outline in the truth.
    """
    answered = np.where(wanted == UNLABELLED, UNLABELLED, given)
    reach = tolerance * float(np.hypot(*wanted.shape))
    scores = np.full(classes, np.nan)
    for class_id in range(classes):
        true, own = _outline(wanted, class_id), _outline(answered, class_id)
        if not true.any():
            continue
        if not own.any():
            scores[class_id] = 0.0
            continue
        precision = (_distance_to(true)[own] <= reach).mean()
        recall = (_distance_to(own)[true] <= reach).mean()
        scores[class_id] = 2 * precision * recall / max(precision + recall, 1e-12)
    return scores


def _outline(ids: NDArray[np.uint8], class_id: int) -> NDArray[np.bool_]:
    """(H, W) the pixels of a class that touch another labelled class."""
    inside = ids == class_id
    others = ~inside & (ids != UNLABELLED)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(inside & (cv2.dilate(others.astype(np.uint8), cross) > 0))


def _distance_to(marked: NDArray[np.bool_]) -> NDArray[np.floating]:
    """(H, W) how far, in pixels, the nearest marked pixel is."""
    return np.asarray(cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
