"""How two segmentation models are compared: by the class and the confidence of each pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.spec import ModelSpec
from training.comparison import Apart, Comparison, Outputs, Parts, Quantization
from training.datasets.images import require_labels
from training.datasets.tensors import load_masks
from training.metrics import confusion_matrix, miou
from training.segmentation import data as segmentation
from training.split import is_unseen, of_pictures


def differences(ours: Outputs, theirs: Outputs) -> Apart:
    """For each pixel, whether the class is the same, and how far the confidences are apart."""
    same = ours["mask"] == theirs["mask"]
    apart = np.abs(ours["confidence"].astype(np.int16) - theirs["confidence"]) / np.float32(255)
    return same.ravel(), apart.ravel()


def read(spec: ModelSpec, root: Path) -> Parts:
    """The pictures of a model's data set.

    Raises:
        DataError: the data set cannot be read or has other classes.
    """
    masks = segmentation.read(root)
    require_labels(masks.labels, spec.labels, root)
    return Parts(
        [image.path for image in masks.train],
        [image.path for image in masks.val],
        load_masks(masks.val, spec.input_hw, masks.ids).numpy(),
        is_unseen(spec.provenance, of_pictures(masks.val)),
    )


def tally(wanted: NDArray[Any], outputs: Outputs, classes: int) -> NDArray[np.int64]:
    """Confusion matrix of a batch."""
    return confusion_matrix(wanted, outputs["mask"], classes)


COMPARISON = Comparison(samples=16, differences=differences, fitted=frozenset({"temperature"}))
QUANTIZATION = Quantization(
    read=read,
    calibration=32,
    agreement=0.95,
    counted="pixels",
    batch=1,
    runs=40,
    metric="val_miou",
    tally=tally,
    quality=miou,
)
