"""How two models of signs are compared: by the class of each crop, its scores and ``known``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.spec import ModelSpec
from training.comparison import Apart, Comparison, Outputs, Parts, Quantization
from training.metrics import confusion_matrix
from training.signs.data import read_like
from training.split import Split, is_unseen, of_tracks, split_by_track


def differences(ours: Outputs, theirs: Outputs) -> Apart:
    """For each crop, whether the class is the same, and how far scores and known are apart at most."""
    same = ours["scores"].argmax(axis=1) == theirs["scores"].argmax(axis=1)
    of_scores = np.abs(ours["scores"] - theirs["scores"]).max(axis=1)
    return same, np.maximum(of_scores, np.abs(ours["known"] - theirs["known"]))


def read(spec: ModelSpec, root: Path) -> Parts:
    """The crops of a model's data set, split as its spec says.

    Raises:
        DataError: the data set cannot be read or has other classes.
    """
    split = Split.of(spec)
    dataset = read_like(spec, root, split)
    train, val = split_by_track(dataset.images, val_fraction=split.val_fraction, seed=split.seed)
    return Parts(
        [image.path for image in train],
        [image.path for image in val],
        np.array([image.class_id for image in val]),
        is_unseen(spec.provenance, of_tracks(val)),
    )


def tally(wanted: NDArray[Any], outputs: Outputs, classes: int) -> NDArray[np.int64]:
    """Confusion matrix of a batch."""
    return confusion_matrix(wanted, outputs["scores"].argmax(axis=1), classes)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of the crops whose class is right."""
    return float(confusion.trace() / confusion.sum())


COMPARISON = Comparison(
    samples=2000, differences=differences, fitted=frozenset({"temperature", "known_offset"})
)
QUANTIZATION = Quantization(
    read=read,
    calibration=512,
    agreement=0.995,
    counted="pictures",
    batch=8,
    runs=400,
    metric="val_accuracy",
    tally=tally,
    quality=accuracy,
)
