"""Evaluate: a model file's figures on a data set, through the runtime that the car uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import perception
from perception import Segmenter, SignClassifier, draw
from perception.report import Report
from perception.spec import UNLABELLED
from training.data import segmentation, signs
from training.data.images import DataError, MaskImage, SignImage, read_bgr, read_mask
from training.metrics import calibration_error, iou, precision_recall_f1

BATCH = 64
PICTURES = 24  # worst mistakes in the report
FRAMES = 6  # best and worst street pictures in the report

Item = TypeVar("Item")


def evaluate(
    model: Path, data: Path, *, out: Path, device: str = "auto", split: str = "val"
) -> dict[str, float]:
    """Measure a model file and write ``report.html`` and ``metrics.json``.

    Args:
        model: an exported file.
        data: root of the data set; its classes must be the model's.
        out: folder for the two files.
        device: see :func:`perception.load`.
        split: ``"val"``, the part that training kept aside, or ``"all"`` pictures.

    Returns:
        The figures, all in 0…1.

    Raises:
        DataError: the data set cannot be read or has other classes.
        ModelError: the model cannot be used.
    """
    runner = perception.load(model, device=device)
    report = Report(f"{model.name} on {data.name} ({split})", runner.spec.trained_on)
    measure = evaluate_signs if isinstance(runner, SignClassifier) else evaluate_masks
    figures = measure(runner, data, report, split=split)
    report.save(out / "report.html")
    (out / "metrics.json").write_text(
        json.dumps({"model": model.name, "split": split} | figures, indent=2) + "\n"
    )
    for name, value in figures.items():
        print(f"{name:<24} {value:.4f}")
    print(f"report: {out / 'report.html'}")
    return figures


def evaluate_signs(classify: SignClassifier, data: Path, report: Report, *, split: str) -> dict[str, float]:
    """Accuracy, calibration and mistakes of a classifier; fills the report."""
    found = signs.read(data)
    require_labels(found.labels, classify.spec.labels, data)
    images: Sequence[SignImage] = found.images
    if split == "val":
        images = signs.split_by_track(found.images, val_fraction=0.2, seed=0)[1]
    labels = found.labels
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    scores, correct, accepted, mistakes = [], [], [], []
    for batch in batches(images, BATCH):
        for image, sign in zip(batch, classify.classify([read_bgr(image.path) for image in batch])):
            confusion[image.class_id, sign.class_id] += 1
            scores.append(sign.score)
            correct.append(sign.class_id == image.class_id)
            accepted.append(bool(sign))
            if not correct[-1]:
                caption = f"{labels[image.class_id]} taken for {sign.label} ({sign.score:.2f})"
                mistakes.append((sign.score, caption, image.path))
    figures = {
        "accuracy": float(np.mean(correct)),
        "calibration_error": calibration_error(np.array(scores), np.array(correct)),
        "accepted_as_known": float(np.mean(accepted)),
    }
    summarise(report, figures)
    per_class = zip(labels, confusion.sum(axis=1).tolist(), precision_recall_f1(confusion).tolist())
    rows = sorted(([name, count, *values] for name, count, values in per_class), key=lambda row: row[-1])
    report.table("Classes, hardest first", ["class", "crops", "precision", "recall", "F1"], rows)
    worst = sorted(mistakes, key=lambda mistake: -mistake[0])[:PICTURES]
    report.pictures(
        f"Surest of {len(mistakes)} mistakes", [(caption, read_bgr(path)) for _, caption, path in worst]
    )
    report.matrix("Confusion", labels, confusion)
    return figures


def evaluate_masks(segment: Segmenter, data: Path, report: Report, *, split: str) -> dict[str, float]:
    """Overlap, calibration, best and worst pictures of a segmentation model; fills the report."""
    found = segmentation.read(data)
    require_labels(found.labels, segment.spec.labels, data)
    images: Sequence[MaskImage] = found.val if split == "val" else found.train + found.val
    count = len(found.labels)
    confusion = np.zeros((count, count), np.int64)
    confidence, correct, ranking = [], [], []
    for image in track(images, "Evaluating"):
        wanted = read_mask(image.mask_path, found.ids)
        road = segment(read_bgr(image.path))
        own = confusion_matrix(wanted, road.class_ids, count)
        confusion += own
        ranking.append((float(np.nanmean(iou(own))), image))
        counts = wanted != UNLABELLED
        confidence.append(road.confidence[counts][::37] / 255)
        correct.append((road.class_ids == wanted)[counts][::37])
    recall = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)
    per_class = iou(confusion)
    figures = {
        "miou": float(np.nanmean(per_class)),
        "global_accuracy": float(np.diag(confusion).sum() / confusion.sum()),
        "class_average": float(recall[confusion.sum(axis=1) > 0].mean()),
        "calibration_error": calibration_error(np.concatenate(confidence), np.concatenate(correct)),
    }
    summarise(report, figures)
    seen = {label: value for label, value in zip(found.labels, per_class.tolist()) if not np.isnan(value)}
    report.bars("IoU by class", seen)
    ranking.sort(key=lambda entry: entry[0])
    for title, chosen in (("Worst", ranking[:FRAMES]), ("Best", ranking[::-1][:FRAMES])):
        pictures = []
        for score, image in chosen:
            frame = read_bgr(image.path)
            truth = read_mask(image.mask_path, found.ids)
            drawn = draw.overlay_mask(frame, truth, found.labels, segment.spec.palette)
            pictures += [
                (f"{image.path.name}: model, mIoU {score:.2f}", segment(frame).overlay(frame)),
                (f"{image.path.name}: truth", drawn),
            ]
        report.pictures(f"{title} pictures", pictures)
    report.matrix("Confusion", found.labels, confusion)
    return figures


def confusion_matrix(wanted: NDArray[np.uint8], given: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """(K, K) pixel counts, rows are true classes; unlabelled pixels do not count."""
    counts = wanted < classes
    flat = wanted[counts].astype(np.int64) * classes + given[counts]
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def require_labels(data: tuple[str, ...], model: tuple[str, ...], where: Path) -> None:
    """Refuse to compare classes that are not the same.

    Raises:
        DataError: naming the first difference.
    """
    if data != model:
        differing = [f"{a!r} against {b!r}" for a, b in zip(data, model) if a != b] or [
            "the number of classes"
        ]
        raise DataError(
            f"{where} has {len(data)} classes, the model {len(model)}; first difference: {differing[0]}"
        )


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in slices, with a progress bar."""
    for start in track(range(0, len(items), size), "Evaluating"):
        yield items[start : start + size]


def summarise(report: Report, figures: Mapping[str, float]) -> None:
    """All figures as the report's first table, in percent."""
    report.table(
        "Figures",
        ["measure", "%"],
        [[name.replace("_", " "), 100 * value] for name, value in figures.items()],
    )
