"""Evaluate a segmentation model: overlap, outlines, calibration, best and worst pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from perception import Segmenter
from perception.frames import Frame
from perception.spec import Color, ModelSpec
from perception.tasks import UNLABELLED
from training.datasets.images import DataError, MaskImage, MaskSet, require_labels
from training.datasets.pictures import read_bgr, read_mask, require_unturned
from training.evaluate.evaluation import Evaluation, reliability_bins, without_nan
from training.metrics import boundary_f1, calibration_error, confusion_matrix, iou, mean, miou
from training.segmentation import data as segmentation
from training.split import of_pictures, remarks

FRAMES = 6  # best and worst street pictures in the report
APART = 5  # pictures of the data set between two of them, because neighbours in a video look the same
EVERY = 37  # of the pixels, one in so many counts for calibration; neighbours say the same


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture for the report.

    Attributes:
        path: of the picture.
        score: its own mean IoU.
        answer: (H, W) uint8 class ids, the model's.
        truth: (H, W) uint8 class ids, 255 = unlabelled.
    """

    path: Path
    score: float
    answer: NDArray[np.uint8]
    truth: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskEvaluation(Evaluation):
    """What was measured of a segmentation model.

    Attributes:
        labels: of all classes.
        palette: one (R, G, B) per label.
        confusion: (K, K + 1) pixels, rows are true classes; the last column is for no class.
        worst: the worst pictures first.
        best: the best pictures first.
    """

    labels: tuple[str, ...]
    palette: tuple[Color, ...]
    confusion: NDArray[np.int64]
    worst: tuple[Shown, ...]
    best: tuple[Shown, ...]


@dataclass(frozen=True)
class Pictures:
    """What is measured on.

    Attributes:
        dataset: all of the data set.
        images: the pictures to measure on.
        remarks: what the model has learnt from them.
    """

    dataset: MaskSet
    images: Sequence[MaskImage]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of N pictures.

    Attributes:
        confusion: (K, K + 1) pixels of all of them.
        outlines: (N, K) boundary F1.
        ranking: (mean IoU, index) of the pictures that have a label, worst first.
        confidence: of some labelled pixels, 0…1.
        correct: whether the class of each of those is right.
    """

    confusion: NDArray[np.int64]
    outlines: NDArray[np.float64]
    ranking: list[tuple[float, int]]
    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]


def evaluate(segment: Segmenter, data: Path, *, split: str) -> MaskEvaluation:
    """Measure a model on the pictures' own size.

    Args:
        segment: the model.
        data: root of the data set.
        split: ``val`` or ``all``.

    Raises:
        DataError: the data set cannot be read, has other classes, or no labelled pixel.
    """
    pictures = read_pictures(segment.spec, data, split)
    dataset, images = pictures.dataset, pictures.images
    answers = segment_all(segment, images, dataset)
    if not answers.confusion.any():
        raise DataError(f"{data} has no labelled pixel in {split}; there is nothing to measure by")
    figures, classes = measures(answers, dataset.labels)
    worst, best = (
        tuple(shown(segment, images[index], score, dataset) for score, index in far_apart(ranked))
        for ranked in (answers.ranking, answers.ranking[::-1])
    )
    return MaskEvaluation(
        figures=figures,
        details={"classes": classes, "reliability": reliability_bins(answers.confidence, answers.correct)},
        remarks=pictures.remarks,
        labels=dataset.labels,
        palette=segment.spec.palette,
        confusion=answers.confusion,
        worst=worst,
        best=best,
    )


def read_pictures(spec: ModelSpec, data: Path, split: str) -> Pictures:
    """Read a data set and choose its part.

    Raises:
        DataError: it cannot be read or has other classes.
    """
    dataset = segmentation.read(data)
    require_labels(dataset.labels, spec.labels, data)
    images: Sequence[MaskImage] = dataset.val if split == "val" else dataset.train + dataset.val
    aside = of_pictures(dataset.val)
    return Pictures(dataset, images, tuple(remarks(spec.provenance, dataset.name, split, kept_aside=aside)))


def read_labelled(image: MaskImage, dataset: MaskSet) -> tuple[Frame, NDArray[np.uint8]]:
    """A picture, (H, W, 3) uint8 BGR, and its class ids, (H, W) uint8, 255 = unlabelled.

    Raises:
        DataError: one of them cannot be read, or they have different sizes.
    """
    require_unturned(image.path)
    wanted, frame = read_mask(image.mask_path, dataset.ids), read_bgr(image.path)
    if wanted.shape != frame.shape[:2]:
        sizes = "{1}×{0} px, its picture {3}×{2}".format(*wanted.shape, *frame.shape[:2])
        raise DataError(f"{image.mask_path} has {sizes}; export it again, unscaled")
    return frame, wanted


def segment_all(segment: Segmenter, images: Sequence[MaskImage], dataset: MaskSet) -> Answers:
    """Run the model on all pictures.

    Raises:
        DataError: a label image cannot be read, or has another size than its picture.
    """
    count = len(dataset.labels)
    confusion = np.zeros((count, count + 1), np.int64)
    confidence, correct, ranking, outlines = [], [], [], []
    for index, image in enumerate(track(images, "Evaluating")):
        frame, wanted = read_labelled(image, dataset)
        road = segment(frame)
        own = confusion_matrix(wanted, road.class_ids, count)
        confusion += own
        if own.any():  # else there is no label to rank the picture by
            ranking.append((miou(own), index))
        outlines.append(boundary_f1(wanted, road.class_ids, classes=count))
        counts = wanted != UNLABELLED
        confidence.append(road.confidence[counts][::EVERY] / 255)
        correct.append((road.class_ids == wanted)[counts][::EVERY])
    return Answers(
        confusion, np.array(outlines), sorted(ranking), np.concatenate(confidence), np.concatenate(correct)
    )


def measures(
    answers: Answers, labels: Sequence[str]
) -> tuple[dict[str, float], dict[str, dict[str, float | None]]]:
    """Figures of all pictures, and those of each class."""
    hits, pixels = np.diag(answers.confusion), answers.confusion.sum(axis=1)
    overlaps, recall = iou(answers.confusion), np.where(pixels > 0, hits / np.maximum(pixels, 1), np.nan)
    figures = {
        "global_accuracy": float(hits.sum() / pixels.sum()),
        "class_average": mean(recall),
        "miou": miou(answers.confusion),
        "boundary_f1": mean(np.array([mean(scores) for scores in answers.outlines])),
        "calibration_error": calibration_error(answers.confidence, answers.correct),
    }
    columns = (recall, overlaps, np.array([mean(scores) for scores in answers.outlines.T]))
    classes = {
        label: dict(zip(("recall", "iou", "boundary_f1"), without_nan(row)))
        for label, row in zip(labels, np.stack(columns, axis=1))
    }
    return {name: value for name, value in figures.items() if not np.isnan(value)}, classes


def far_apart(ranked: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """The first few (score, index) whose pictures are not next to each other; where those run out, any."""
    chosen: list[tuple[float, int]] = []
    for score, index in ranked:
        if all(abs(index - other) >= APART for _, other in chosen):
            chosen.append((score, index))
    return [*chosen, *(entry for entry in ranked if entry not in chosen)][:FRAMES]


def shown(segment: Segmenter, image: MaskImage, score: float, dataset: MaskSet) -> Shown:
    """A picture with the model's answer and the truth."""
    answer = segment(read_bgr(image.path)).class_ids
    return Shown(image.path, score, answer, read_mask(image.mask_path, dataset.ids))
