"""Evaluate a sign classifier: accuracy, calibration, refusal of the unknown, mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception import SignClassifier
from perception.spec import ModelSpec
from training.datasets.images import DataError, SignImage, SignSet, files
from training.datasets.pictures import read_bgr
from training.evaluate.evaluation import (
    CROSS_ENTROPY,
    Evaluation,
    batches,
    reliability_bins,
    without_nan,
)
from training.metrics import calibration_error, precision_recall_f1
from training.signs.data import read_like
from training.signs.numbers import numbers_mistaken
from training.signs.refusal import known_of_background, refusal, roc
from training.split import (
    Split,
    of_background,
    of_tracks,
    remarks,
    remarks_on_background,
    split_by_track,
)

FEW = 30  # crops; below it a class's figures say little
TINY = np.finfo(np.float32).tiny  # below it a score is 0, whose logarithm would drown all others


@dataclass(frozen=True)
class Mistake:
    """A crop of one class that the model takes for another, with that class's score."""

    path: Path
    label: str
    answer: str
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SignEvaluation(Evaluation):
    """What was measured of a classifier.

    Attributes:
        labels: of all classes.
        confusion: (K, K) counts of crops, rows are true classes.
        mistakes: surest first.
        roc: (share of the background taken for a sign, share of the signs accepted), of both 0…1; empty
            without background.
    """

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
    roc: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Crops:
    """What is measured on.

    Attributes:
        dataset: all of the data set, its classes numbered as the model numbers them.
        kept: how the training of the model split its data.
        images: the crops to measure on, at least one.
        kept_aside: fingerprint of the validation part.
    """

    dataset: SignSet
    kept: Split
    images: Sequence[SignImage]
    kept_aside: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What a classifier says of N crops; each array is (N,).

    Attributes:
        wanted: true class ids.
        given: the model's.
        score: of the given class, 0…1.
        own_score: of the true class, 0…1.
        known: 0…1.
        is_known: whether ``known`` reaches the threshold.
    """

    wanted: NDArray[np.int64]
    given: NDArray[np.int64]
    score: NDArray[np.float64]
    own_score: NDArray[np.float64]
    known: NDArray[np.float64]
    is_known: NDArray[np.bool_]


def evaluate(
    classify: SignClassifier,
    data: Path,
    *,
    split: str,
    background: Path | None = None,
) -> SignEvaluation:
    """Measure a classifier.

    Args:
        classify: the model.
        data: root of the data set.
        split: ``val`` or ``all``.
        background: street pictures to cut "no known sign" from; None leaves that measure out.

    Raises:
        DataError: a data set cannot be read, has other classes, or nothing to validate with.
    """
    spec = classify.spec
    crops = read_crops(spec, data, split)
    labels, kept = crops.dataset.labels, crops.kept
    street = known_of_background(classify, background, kept, split=split) if background else None
    answers = classify_all(classify, crops.images)
    confusion = confusion_of(answers, len(labels))
    classes = by_class(labels, confusion)
    figures, details = measures(answers, classes)
    notes = [
        *remarks(spec.provenance, crops.dataset.name, split, kept_aside=crops.kept_aside),
        *remarks_on_assumed(kept),
        *remarks_on_classes(classes, details["worst_class"], details["small_classes"]),
    ]
    if background and street is not None:
        aside = of_background(files(background), kept.val_fraction)
        notes += remarks_on_background(spec.provenance, kept, background, split, kept_aside=aside)
        figures |= refusal(answers.known, street, threshold=spec.threshold)
    if numbers := numbers_mistaken(answers.wanted, answers.given, labels):
        details["numbers"] = {"clean": numbers}
    return SignEvaluation(
        figures=figures,
        details=details,
        remarks=tuple(notes),
        labels=labels,
        confusion=confusion,
        mistakes=mistakes_of(answers, crops.images, labels),
        roc=() if street is None else roc(answers.known, street),
    )


def read_crops(spec: ModelSpec, data: Path, split: str) -> Crops:
    """Read a data set and split it as the training of a model did.

    Raises:
        DataError: it cannot be read, has other classes, or nothing to validate with.
    """
    kept = Split.of(spec)
    dataset = read_like(spec, data, kept, in_part=True)
    val = split_by_track(dataset.images, val_fraction=kept.val_fraction, seed=kept.seed)[1]
    images: Sequence[SignImage] = val if split == "val" else dataset.images
    if not dataset.images:
        raise DataError(f"{data} holds no pictures in folders named as the model's classes")
    if not images:
        raise DataError(
            f"{data} has one track or picture of each class, none to validate with; use --split all"
        )
    return Crops(dataset, kept, images, of_tracks(val))


def classify_all(classify: SignClassifier, images: Sequence[SignImage]) -> Answers:
    """Run the model on all crops."""
    rows = []
    for batch in batches(images, "Evaluating"):
        for image, sign in zip(batch, classify.classify([read_bgr(image.path) for image in batch])):
            own = float(sign.scores[image.class_id])
            rows.append((image.class_id, sign.class_id, sign.score, own, sign.known, sign.is_known))
    wanted, given, score, own_score, known, is_known = zip(*rows)
    return Answers(
        np.array(wanted, np.int64),
        np.array(given, np.int64),
        np.array(score, np.float64),
        np.array(own_score, np.float64),
        np.array(known, np.float64),
        np.array(is_known, np.bool_),
    )


def measures(
    answers: Answers, classes: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Figures of clean crops, and the details beside them."""
    correct = answers.given == answers.wanted
    f1 = {label: row["f1"] for label, row in classes.items() if row["crops"]}
    worst = min(f1, key=lambda label: f1[label])
    figures = {
        "accuracy": float(correct.mean()),
        CROSS_ENTROPY: float(-np.log(np.maximum(answers.own_score, TINY)).mean()),
        "macro_f1": float(np.mean(list(f1.values()))),
        "worst_class_f1": f1[worst],
        "calibration_error": calibration_error(answers.score, correct),
        "accepted_as_known": float(answers.is_known.mean()),
    }
    details = {
        "worst_class": worst,
        "reliability": reliability_bins(answers.score, correct),
        "small_classes": [label for label, row in classes.items() if 0 < row["crops"] < FEW],
        "classes": classes,
    }
    return figures, details


def confusion_of(answers: Answers, classes: int) -> NDArray[np.int64]:
    """(K, K) counts of crops, rows are true classes."""
    flat = answers.wanted * classes + answers.given
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def by_class(labels: Sequence[str], confusion: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Crops, precision, recall and F1 of each class; None is for what cannot be measured."""
    rows = zip(labels, confusion.sum(axis=1).tolist(), precision_recall_f1(confusion))
    return {
        label: {"crops": crops, **dict(zip(("precision", "recall", "f1"), without_nan(row)))}
        for label, crops, row in rows
    }


def mistakes_of(answers: Answers, images: Sequence[SignImage], labels: Sequence[str]) -> tuple[Mistake, ...]:
    """All mistakes, surest first."""
    wrong = np.flatnonzero(answers.given != answers.wanted).tolist()
    return tuple(
        Mistake(
            images[index].path,
            labels[answers.wanted[index]],
            labels[answers.given[index]],
            float(answers.score[index]),
        )
        for index in sorted(wrong, key=lambda index: -answers.score[index])
    )


def remarks_on_assumed(kept: Split) -> Iterator[str]:
    """Say what the model's spec does not say about its split."""
    if kept.assumed:
        values = ", ".join(f"{name} = {value}" for name, value in kept.assumed.items())
        yield (
            f"The model does not say how it was validated; the defaults were taken: {values}. If it was "
            "trained otherwise, it has seen some of these pictures."
        )


def remarks_on_classes(
    classes: Mapping[str, Mapping[str, Any]], worst: str, few: Sequence[str]
) -> Iterator[str]:
    """Say what the means hide."""
    yield f"Worst class: {worst}, F1 {classes[worst]['f1']:.3f} on {classes[worst]['crops']} crops"
    if few:
        yield f"Fewer than {FEW} crops, so their figures say little: {', '.join(few)}"
    absent = [label for label, row in classes.items() if not row["crops"]]
    if absent:
        yield f"No crops, so no figures and no part in the mean: {', '.join(absent)}"
