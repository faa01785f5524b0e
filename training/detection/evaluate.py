"""Evaluate a detector: average precision, recall by size, false alarms, calibration; with others, reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

import perception
from perception import SignClassifier, SignDetector
from perception.spec import ModelSpec
from training.datasets import boxes as box_sets
from training.datasets.images import BoxImage, BoxSet, DataError
from training.datasets.text import plain
from training.detection.answers import Answer, answer, mean_average_precision, open_reader, rank
from training.detection.measure import Ranking, match
from training.evaluate.evaluation import Evaluation, reliability_bins, without_nan
from training.metrics import calibration_error
from training.split import Split, of_pictures, remarks

RECALLS = (0.9, 0.95)  # at which false alarms are counted
SIZES = (0, 16, 24, 40, 70)  # px of a sign's width, from which on each row of the table counts
SEEN = 0.5  # score from which on a false alarm is worth a look


@dataclass(frozen=True)
class Shown:
    """A box for the report: a sign that was missed, or what was taken for one.

    Attributes:
        path: of the picture.
        box: x1, y1, x2, y2 px.
        score: of a false alarm; 0 for a sign that was missed.
    """

    path: Path
    box: tuple[float, float, float, float]
    score: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectionEvaluation(Evaluation):
    """What was measured of a detector.

    Attributes:
        misses: the largest sign first.
        alarms: the surest first.
        precision: (recall, precision) from the surest box to all, of both 0…1.
    """

    misses: tuple[Shown, ...]
    alarms: tuple[Shown, ...]
    precision: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Pictures:
    """What is measured on.

    Attributes:
        dataset: all of the data set.
        images: the pictures to measure on, at least one of them with a box.
        remarks: what the model has learnt from them.
    """

    dataset: BoxSet
    images: Sequence[BoxImage]
    remarks: tuple[str, ...]


def evaluate(
    find: SignDetector, data: Path, *, split: str, reader: Path | None = None, streaming: bool = False
) -> DetectionEvaluation:
    """Measure a detector.

    Args:
        find: the model.
        data: root of the data set.
        split: ``val`` or ``all``.
        reader: a model of signs that reads what was found; None measures only what is found.
        streaming: measure on generated drives, too, what following signs is worth; needs a reader.

    Raises:
        DataError: the data set cannot be read, has nothing to validate with, or classes that the reader does
            not know; or there is no reader for the drives.
        ModelError: the reader cannot be used.
    """
    if streaming and reader is None:
        raise DataError("--streaming needs --reader, a model file that reads the signs, as models/signs.onnx")
    pictures = read_pictures(find.spec, data, split)
    dataset = pictures.dataset
    classify = open_reader(reader, dataset, data) if reader else None
    try:
        answers = [answer(find, classify, image) for image in track(pictures.images, "Evaluating")]
        figures, rates, details = measures(answers, find.spec.threshold)
        if classify:
            figures |= reading(answers, dataset, classify)
        if classify and streaming:
            rates |= drive(find, classify, [one.image for one in answers], dataset.labels)
    finally:
        if classify:
            classify.close()
    ranking = rank(answers)
    return DetectionEvaluation(
        figures=figures,
        rates=rates,
        details=details,
        remarks=pictures.remarks,
        misses=tuple(sorted(misses(answers), key=lambda one: -(one.box[2] - one.box[0]))),
        alarms=tuple(sorted(alarms(answers), key=lambda one: -one.score)),
        precision=tuple(precision_curve(ranking)),
    )


def read_pictures(spec: ModelSpec, data: Path, split: str) -> Pictures:
    """Read a data set and split it as the training of a model did.

    Raises:
        DataError: it cannot be read or has no box in this part.
    """
    dataset = box_sets.read(data)
    _, val = box_sets.split(dataset.images, val_fraction=Split.of(spec).val_fraction)
    images: Sequence[BoxImage] = val if split == "val" else dataset.images
    if not any(image.boxes for image in images):
        raise DataError(f"{data} has no box in {split}; there is nothing to measure by")
    aside = of_pictures(val)
    return Pictures(dataset, images, tuple(remarks(spec.provenance, dataset.name, split, kept_aside=aside)))


def measures(
    answers: Sequence[Answer], threshold: float
) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
    """Shares, rates and details of what is found, whichever signs they are."""
    ranking = rank(answers)
    ap50, ap = mean_average_precision(answers)
    figures = {
        "ap50": ap50,
        "ap50_95": ap,
        "recall": float(ranking.is_hit.sum() / ranking.signs),
        "calibration_error": calibration_error(ranking.scores, ranking.is_hit)
        if len(ranking.scores)
        else 0.0,
    }
    rates = {
        f"false_alarms_at_{recall:.0%}_recall".replace("%", ""): ranking.alarms_at(recall)
        for recall in RECALLS
    }
    rates["false_alarms_a_frame"] = float((~ranking.is_hit).sum() / ranking.frames)
    rates = {name: value for name, value in rates.items() if not np.isnan(value)}
    details = {
        "frames": ranking.frames,
        "signs": ranking.signs,
        "found_threshold": threshold,
        "sizes": by_size(answers),
        "reliability": reliability_bins(ranking.scores, ranking.is_hit) if len(ranking.scores) else [],
    }
    return figures, rates, details


def by_size(answers: Sequence[Answer]) -> dict[str, dict[str, float | None]]:
    """Signs and recall by their width."""
    widths, found = [], []
    for one in answers:
        widths += (one.wanted[:, 2] - one.wanted[:, 0]).tolist()
        found += np.isin(np.arange(len(one.wanted)), match(one.found, one.wanted)).tolist()
    rows = {}
    for low, high in zip(SIZES, (*SIZES[1:], np.inf)):
        chosen = [hit for width, hit in zip(widths, found) if low <= width < high]
        name = f"{low} px and more" if np.isinf(high) else f"{low} to {high} px"
        share = without_nan(np.array([np.mean(chosen) if chosen else np.nan]))[0]
        rows[name] = {"signs": len(chosen), "recall": share}
    return rows


def reading(answers: Sequence[Answer], dataset: BoxSet, classify: SignClassifier) -> dict[str, float]:
    """How well the signs that are found are read."""
    number = {plain(label): class_id for class_id, label in enumerate(classify.spec.labels)}
    ids = [number.get(label, -1) for label in dataset.labels]
    named = [
        replace(one, image=replace(one.image, class_ids=tuple(ids[own] for own in one.image.class_ids)))
        for one in answers
    ]
    right = [
        one.class_ids[row] == one.image.class_ids[sign]
        for one in named
        for row, sign in enumerate(match(one.found, one.wanted))
        if sign >= 0
    ]
    return {
        "reading_map50": mean_average_precision(named, classes=True)[0],
        "reading_accuracy": float(np.mean(right)) if right else 0.0,
    }


def drive(
    find: SignDetector, classify: SignClassifier, images: Sequence[BoxImage], labels: Sequence[str]
) -> dict[str, float]:
    """What following signs is worth on drives that are made out of the pictures."""
    from training.detection.streaming import drives, replay, score

    reader = perception.SignReader(find, classify)
    streamed = score(replay(reader.read, drives(images), labels), classify.spec)
    rates: dict[str, float] = {}
    for condition, share in streamed.shares.items():
        if not share.pairs:
            continue
        rates[f"{condition}_single"] = share.single
        rates[f"{condition}_tracked"] = share.tracked
    for name in (
        "switches",
        "flicker_single",
        "flicker_tracked",
        "confirm_s",
        "false_single",
        "false_tracks",
    ):
        value = getattr(streamed, name)
        if value is not None:
            rates[name] = float(value)
    return {f"drive_{name}": value for name, value in rates.items() if not np.isnan(value)}


def misses(answers: Sequence[Answer]) -> Iterator[Shown]:
    """Signs that no box is on."""
    for one in answers:
        found = set(match(one.found, one.wanted).tolist())
        for number, box in enumerate(one.image.boxes):
            if number not in found:
                yield Shown(one.image.path, box)


def alarms(answers: Sequence[Answer]) -> Iterator[Shown]:
    """Boxes that are on no sign, and that the detector is sure of."""
    for one in answers:
        for box, score, sign in zip(one.found.tolist(), one.scores.tolist(), match(one.found, one.wanted)):
            if sign < 0 and score >= SEEN:
                yield Shown(one.image.path, (box[0], box[1], box[2], box[3]), score)


def precision_curve(ranking: Ranking) -> Iterator[tuple[float, float]]:
    """Precision at each recall that is reached."""
    precision = np.cumsum(ranking.is_hit) / np.arange(1, len(ranking.scores) + 1)
    for place in np.flatnonzero(ranking.is_hit):
        yield float(ranking.recall[place]), float(precision[place])
