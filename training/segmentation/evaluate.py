"""Evaluate a segmentation model: overlap, outlines, calibration, best and worst pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from perception import Segmenter, draw
from perception.report.page import Report
from perception.tasks import UNLABELLED
from training.datasets.images import DataError, MaskImage, MaskSet, require_labels
from training.datasets.pictures import read_bgr, read_mask
from training.evaluate.evaluation import Findings, add_reliability, listed, on_learnt, summarise
from training.metrics import boundary_f1, calibration_error, iou
from training.segmentation import data as segmentation

FRAMES = 6  # best and worst street pictures in the report
APART = 5  # places in the data set between two of them, for neighbours in a video look the same
EVERY = 37  # of the pixels, one in so many counts for calibration; neighbours say the same


def evaluate_masks(segment: Segmenter, data: Path, report: Report, *, split: str) -> Findings:
    """Measure a model on the pictures' own size; fills the report.

    Raises:
        DataError: the data set cannot be read, has other classes, or no labelled pixel.
    """
    found = segmentation.read(data)
    require_labels(found.labels, segment.spec.labels, data)
    images: Sequence[MaskImage] = found.val if split == "val" else found.train + found.val
    count = len(found.labels)
    confusion = np.zeros((count, count + 1), np.int64)
    confidence, correct, ranking, outlines = [], [], [], []
    for place, image in enumerate(track(images, "Evaluating")):
        wanted = read_mask(image.mask_path, found.ids)
        road = segment(read_bgr(image.path))
        if wanted.shape != road.class_ids.shape:
            sizes = "{1}×{0} px, its picture {3}×{2}".format(*wanted.shape, *road.class_ids.shape)
            raise DataError(f"{image.mask_path} has {sizes}; export it again, unscaled")
        own = confusion_matrix(wanted, road.class_ids, count)
        confusion += own
        if own.any():  # else there is no label to rank the picture by
            ranking.append((_mean(iou(own)), place))
        outlines.append(boundary_f1(wanted, road.class_ids, classes=count))
        counts = wanted != UNLABELLED
        confidence.append(road.confidence[counts][::EVERY] / 255)
        correct.append((road.class_ids == wanted)[counts][::EVERY])
    if not confusion.any():
        raise DataError(f"{data} has no labelled pixel in {split}; there is nothing to measure by")
    sure, right = np.concatenate(confidence), np.concatenate(correct)
    pixels, overlaps, boundaries = confusion.sum(axis=1), iou(confusion), np.array(outlines)
    recall = np.where(pixels > 0, np.diag(confusion) / np.maximum(pixels, 1), np.nan)
    figures = {
        "global_accuracy": float(np.diag(confusion).sum() / pixels.sum()),
        "class_average": _mean(recall),
        "miou": _mean(overlaps),
        "boundary_f1": _mean(np.array([_mean(scores) for scores in boundaries])),
        "calibration_error": calibration_error(sure, right),
    }
    figures = {name: value for name, value in figures.items() if not np.isnan(value)}
    columns = (recall, overlaps, np.array([_mean(scores) for scores in boundaries.T]))
    rows = {
        label: dict(zip(("recall", "iou", "boundary_f1"), listed(row)))
        for label, row in zip(found.labels, np.stack(columns, axis=1))
    }
    remarks = on_learnt(segment.spec, found.name, split, kept_aside=found.kept_aside)
    summarise(report, figures, remarks)
    seen = {label: value for label, value in zip(found.labels, overlaps.tolist()) if not np.isnan(value)}
    report.bars("IoU by class", seen)
    percent = [
        [label, *(None if v is None else 100 * v for v in row.values())] for label, row in rows.items()
    ]
    report.table("Classes, in percent", ["class", "recall", "IoU", "boundary F1"], percent)
    bins = add_reliability(report, sure, right)
    ranking.sort()
    for title, ranked in (("Worst pictures", ranking), ("Best pictures", ranking[::-1])):
        chosen = [(score, images[place]) for score, place in _apart(ranked)]
        _add_pictures(report, title, chosen, segment, found)
    shares = 100 * confusion[:, :-1] / np.maximum(pixels, 1)[:, np.newaxis]
    report.matrix("Confusion, in percent of the true class", found.labels, shares.round(1))
    return Findings(figures, {"classes": rows, "reliability": bins}, remarks)


def _apart(ranked: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """The first few (score, place) whose places are not next to each other; where those run out, any."""
    chosen: list[tuple[float, int]] = []
    for score, place in ranked:
        if all(abs(place - other) >= APART for _, other in chosen):
            chosen.append((score, place))
    return [*chosen, *(entry for entry in ranked if entry not in chosen)][:FRAMES]


def _add_pictures(
    report: Report,
    title: str,
    chosen: Sequence[tuple[float, MaskImage]],
    segment: Segmenter,
    found: MaskSet,
) -> None:
    pictures = []
    for score, image in chosen:
        frame = read_bgr(image.path)
        truth = read_mask(image.mask_path, found.ids)
        drawn = draw.overlay_mask(frame, truth, found.labels, segment.spec.palette)
        pictures += [
            (f"{image.path.name}: model, mIoU {score:.2f}", segment(frame).overlay(frame)),
            (f"{image.path.name}: truth", drawn),
        ]
    report.pictures(title, pictures)


def confusion_matrix(wanted: NDArray[np.uint8], given: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """(K, K + 1) pixel counts, rows are true classes; the last column is "no class" for an answer.

    Unlabelled pixels do not count.
    """
    counts = wanted < classes
    flat = wanted[counts].astype(np.int64) * (classes + 1) + np.minimum(given[counts], classes)
    return np.bincount(flat, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def _mean(values: NDArray[np.floating]) -> float:
    """Of those that are there; NaN, without a warning, where none is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")
