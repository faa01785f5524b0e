"""How well a sign classifier refuses what is no known sign, measured on crops of streets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, arange, from_numpy
from torchmetrics.functional.classification import binary_auroc, binary_roc

from perception import SignClassifier
from training.datasets import gtsdb
from training.evaluate.evaluation import batches
from training.metrics import false_alarms
from training.signs.data import PER_PICTURE
from training.split import Split, validates

ACCEPTED = (0.95, 0.99)  # shares of the signs at which false alarms are counted
ROC_END = 0.1  # of the false alarms; beyond it nobody would run the model


def known_of_background(
    classify: SignClassifier, root: Path, kept: Split, *, split: str
) -> NDArray[np.float64]:
    """(M,) ``known`` of street crops; the pictures that validate are those of SignData."""
    crops, pictures = gtsdb.background(
        root, size_hw=classify.spec.input_hw, per_picture=PER_PICTURE, seed=kept.seed
    )
    if split == "val":
        crops = crops[validates(pictures, kept.val_fraction)]
    frames = list(crops.permute(0, 2, 3, 1).numpy())
    return np.array(
        [sign.known for batch in batches(frames, "Background") for sign in classify.classify(batch)]
    )


def refusal(known: NDArray[np.float64], street: NDArray[np.float64], *, threshold: float) -> dict[str, float]:
    """How well ``known`` separates signs from background."""
    sure, is_sign = _as_binary(known, street)
    figures = {
        "known_auroc": float(binary_auroc(sure, is_sign)),
        "false_alarms": float(np.mean(street >= threshold)),
    }
    for accepted in ACCEPTED:
        figures[f"false_alarms_at_{100 * accepted:.0f}"] = false_alarms(known, street, accepted=accepted)
    return figures


def roc(known: NDArray[np.float64], street: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """(false alarms, signs accepted) in 0…1, where false alarms are few."""
    false, true, _ = binary_roc(*_as_binary(known, street))
    best = dict(zip(false.tolist(), true.tolist()))  # both ascend: the last of equal false alarms is the best
    shares = np.linspace(0, ROC_END, 101)
    passed = np.interp(shares, list(best), list(best.values()))
    return tuple(zip(shares.tolist(), passed.tolist()))


def _as_binary(known: NDArray[np.float64], street: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    sure = from_numpy(np.concatenate([known, street]))
    return sure, (arange(len(sure)) < len(known)).long()
