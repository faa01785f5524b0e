"""Evaluate a sign classifier: accuracy, calibration, refusal of the unknown, corrupted crops, mistakes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torchmetrics.functional.classification import binary_auroc, binary_roc

from perception import SignClassifier
from perception.frames import Frame
from perception.report.page import Report
from perception.spec import ModelSpec
from training.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.datasets import gtsdb
from training.datasets.images import LEARNT_VAL, DataError, SignImage, SignSet, fingerprint
from training.datasets.pictures import read_bgr
from training.evaluate.evaluation import (
    CROSS_ENTROPY,
    Findings,
    add_reliability,
    listed,
    on_learnt,
    summarise,
)
from training.metrics import calibration_error, false_alarms, precision_recall_f1
from training.signs import data as signs

BATCH = 64
PICTURES = 24  # worst mistakes in the report
FEW = 30  # crops; below it a class's figures say little
ACCEPTED = (0.95, 0.99)  # shares of the signs at which false alarms are told
TINY = np.finfo(np.float32).tiny  # below it a score is 0, whose logarithm would drown all others
ROC_END = 0.1  # of the false alarms; beyond it nobody would run the model

Item = TypeVar("Item")


@dataclass(frozen=True)
class Split:
    """Which part of the data training kept aside, as the model's spec tells it.

    Attributes:
        val_fraction: share of the tracks of each class, and of the background pictures.
        seed: of the choice.
        hold_out: names of the classes that training left out.
        background_kept_aside: fingerprint of the background pictures, None if the spec does not tell.
        remarks: what the spec did not tell.
    """

    val_fraction: float
    seed: int
    hold_out: tuple[str, ...] = ()
    background_kept_aside: str | None = None
    remarks: tuple[str, ...] = ()

    def is_of_street(self, root: Path) -> bool:
        """Whether training kept aside the same pictures of a folder of background."""
        return self.background_kept_aside in (None, gtsdb.kept_aside(root, self.val_fraction))

    @classmethod
    def of(cls, spec: ModelSpec) -> Split:
        """Read the hyperparameters that ``export`` wrote; SignData's defaults where they are missing."""
        try:
            config = json.loads(spec.source.get("config", "{}"))
        except json.JSONDecodeError:
            config = {}
        defaults = inspect.signature(signs.SignData).parameters
        chosen = {name: config.get(name, defaults[name].default) for name in ("val_fraction", "seed")}
        missing = [f"{name} = {chosen[name]}" for name in chosen if name not in config]
        remark = (
            f"The model does not tell how it was validated; taken from the defaults: {', '.join(missing)}. "
            "If it was trained otherwise, it has seen some of these pictures."
        )
        return cls(
            float(chosen["val_fraction"]),
            int(chosen["seed"]),
            tuple(config.get("hold_out") or ()),
            spec.source.get("background_kept_aside"),
            (remark,) if missing else (),
        )


def evaluate_signs(
    classify: SignClassifier,
    data: Path,
    report: Report,
    *,
    split: str,
    background: Path | None,
    corruptions: bool,
) -> Findings:
    """Measure a classifier; fills the report.

    Args:
        background: street pictures to cut "no known sign" from; None leaves that measure out.
        corruptions: measure on corrupted crops, too.

    Raises:
        DataError: a data set cannot be read, has other classes, or nothing to validate with.
    """
    kept = Split.of(classify.spec)
    found = read_like(classify.spec, data, kept, in_part=True)
    val = signs.split_by_track(found.images, val_fraction=kept.val_fraction, seed=kept.seed)[1]
    images: Sequence[SignImage] = val if split == "val" else found.images
    if not found.images:
        raise DataError(f"{data} holds no pictures in folders named as the model's classes")
    if not images:
        raise DataError(
            f"{data} has one track or picture of each class, none to validate with; use --split all"
        )
    street = _background(classify, background, kept, split=split) if background else None
    labels = found.labels
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    scores, own, correct, accepted, known, mistakes = [], [], [], [], [], []
    for batch in _batches(images, "Evaluating"):
        for image, sign in zip(batch, classify.classify([read_bgr(image.path) for image in batch])):
            confusion[image.class_id, sign.class_id] += 1
            scores.append(sign.score)
            own.append(sign.scores[image.class_id])
            correct.append(sign.class_id == image.class_id)
            accepted.append(bool(sign))
            known.append(sign.known)
            if not correct[-1]:
                caption = f"{labels[image.class_id]} taken for {sign.label} ({sign.score:.2f})"
                mistakes.append((sign.score, caption, image.path))
    classes = _by_class(labels, confusion)
    f1 = {label: row["f1"] for label, row in classes.items() if row["crops"]}
    worst = min(f1, key=lambda label: f1[label])
    figures = {
        "accuracy": float(np.mean(correct)),
        CROSS_ENTROPY: float(-np.log(np.maximum(own, TINY)).mean()),
        "macro_f1": float(np.mean(list(f1.values()))),
        "worst_class_f1": f1[worst],
        "calibration_error": calibration_error(np.array(scores), np.array(correct)),
        "accepted_as_known": float(np.mean(accepted)),
    }
    details: dict[str, Any] = {"worst_class": worst}
    few = [label for label, row in classes.items() if 0 < row["crops"] < FEW]
    kept_aside = fingerprint(image.track for image in val)
    remarks = [
        *on_learnt(classify.spec, found.name, split, kept_aside=kept_aside),
        *kept.remarks,
        *_of_classes(classes, worst, few),
    ]
    if background and street is not None:
        remarks += _of_background(classify.spec, background, kept, split=split)
        figures |= _refusal(np.array(known), street, threshold=classify.spec.threshold)
    table: dict[str, list[float]] = {}
    if corruptions:
        table = _corrupted(classify, images)
        figures["corrupted_accuracy"] = float(np.mean(list(table.values())))
        details["corruptions"] = table
    summarise(report, figures, remarks)
    details["reliability"] = add_reliability(report, np.array(scores), np.array(correct))
    if street is not None:
        _add_roc(report, np.array(known), street)
    if corruptions:
        _add_corruptions(report, table, images)
    _add_classes(report, classes)
    mistakes.sort(key=lambda mistake: -mistake[0])
    surest = [(caption, read_bgr(path)) for _, caption, path in mistakes[:PICTURES]]
    report.pictures(f"Surest of {len(mistakes)} mistakes", surest)
    report.matrix("Confusion", labels, confusion)
    return Findings(figures, details | {"small_classes": few, "classes": classes}, tuple(remarks))


def read_like(spec: ModelSpec, data: Path, kept: Split, *, in_part: bool = False) -> SignSet:
    """Read a data set with the model's classes, or some of them, numbered as the model numbers them.

    Args:
        spec: the model's.
        data: the data set.
        kept: what training left out of it.
        in_part: see :func:`signs.read`.

    Raises:
        DataError: it cannot be read or has other classes.
    """
    found = signs.read(data, in_part=in_part)
    held_out = [name for name in kept.hold_out if name in found.labels]
    found, _ = signs.without(found, held_out, least=0 if in_part else 2)
    others = [label for label in found.labels if label not in spec.labels]
    if others:
        raise DataError(
            f"{data} has the class {others[0]!r}, which the model does not know; it knows "
            f"{', '.join(spec.labels)}"
        )
    return signs.in_order(found, spec.labels)


def _by_class(labels: Sequence[str], confusion: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    rows = zip(labels, confusion.sum(axis=1).tolist(), precision_recall_f1(confusion))
    return {
        label: {"crops": crops, **dict(zip(("precision", "recall", "f1"), listed(row)))}
        for label, crops, row in rows
    }


def _of_classes(classes: Mapping[str, Mapping[str, Any]], worst: str, few: Sequence[str]) -> Iterator[str]:
    """What the means do not tell."""
    yield f"Worst class: {worst}, F1 {classes[worst]['f1']:.3f} on {classes[worst]['crops']} crops"
    if few:
        yield f"Fewer than {FEW} crops, so their figures say little: {', '.join(few)}"
    absent = [label for label, row in classes.items() if not row["crops"]]
    if absent:
        yield f"No crops, so no figures and no part in the mean: {', '.join(absent)}"


def _of_background(spec: ModelSpec, root: Path, kept: Split, *, split: str) -> Iterator[str]:
    """What to say of figures on background: whether the model has learnt from some of it."""
    if split == "val" and not kept.is_of_street(root):
        yield (
            f"The background that training kept aside is not what validates of {root}: that is another "
            "folder, or pictures were added, renamed or taken out, and it has learnt from some."
        )
    elif "background" in spec.trained_on and (split == "all" or LEARNT_VAL in spec.trained_on):
        yield (
            f"The model has learnt from background. If that was {root}, the figures of known say nothing "
            "about other streets."
        )


def _background(classify: SignClassifier, root: Path, kept: Split, *, split: str) -> NDArray[np.float64]:
    """(M,) ``known`` of street crops; the pictures that training kept aside are those of SignData."""
    crops, pictures = gtsdb.background(
        root, size_hw=classify.spec.input_hw, per_picture=signs.PER_PICTURE, seed=kept.seed
    )
    if split == "val":
        crops = crops[gtsdb.validates(pictures, kept.val_fraction)]
    frames = list(crops.permute(0, 2, 3, 1).numpy())
    return np.array(
        [sign.known for batch in _batches(frames, "Background") for sign in classify.classify(batch)]
    )


def _refusal(
    known: NDArray[np.float64], street: NDArray[np.float64], *, threshold: float
) -> dict[str, float]:
    sure, is_sign = _as_binary(known, street)
    figures = {
        "known_auroc": float(binary_auroc(sure, is_sign)),
        "false_alarms": float(np.mean(street >= threshold)),
    }
    for accepted in ACCEPTED:
        figures[f"false_alarms_at_{100 * accepted:.0f}"] = false_alarms(known, street, accepted=accepted)
    return figures


def _as_binary(known: NDArray[np.float64], street: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
    sure = torch.from_numpy(np.concatenate([known, street]))
    return sure, (torch.arange(len(sure)) < len(known)).long()


def _add_roc(report: Report, known: NDArray[np.float64], street: NDArray[np.float64]) -> None:
    false, true, _ = binary_roc(*_as_binary(known, street))
    best = dict(zip(false.tolist(), true.tolist()))  # both ascend: the last of equal false alarms is the best
    shares = np.linspace(0, ROC_END, 101)
    passed = np.interp(shares, list(best), list(best.values()))
    report.curve(
        "Unknown things refused: ROC, where false alarms are few",
        {"known": list(zip((100 * shares).tolist(), (100 * passed).tolist()))},
        x_label="background taken for a sign, %",
        y_label="signs accepted, %",
    )


def _corrupted(classify: SignClassifier, images: Sequence[SignImage]) -> dict[str, list[float]]:
    """Accuracy at each severity, by corruption; every crop has noise of its own, the same in every run."""
    hits = np.zeros((len(CORRUPTIONS), len(SEVERITIES)))
    for number, batch in enumerate(_batches(images, "Corrupting")):
        frames = [read_bgr(image.path) for image in batch]
        wanted = np.array([image.class_id for image in batch])
        for kind, name in enumerate(CORRUPTIONS):
            for severity in SEVERITIES:
                rng = np.random.default_rng((number, kind, severity))
                given = classify.classify([corrupt(name, f, severity=severity, rng=rng) for f in frames])
                hits[kind, severity - 1] += sum(sign.class_id == own for sign, own in zip(given, wanted))
    return dict(zip(CORRUPTIONS, (hits / len(images)).tolist()))


def _add_corruptions(report: Report, table: Mapping[str, list[float]], images: Sequence[SignImage]) -> None:
    rows = [[name, *(100 * v for v in row), 100 * float(np.mean(row))] for name, row in table.items()]
    means = [100 * float(v) for v in np.mean(list(table.values()), axis=0)]
    rows.append(["mean", *means, float(np.mean(means))])
    severities = [f"severity {severity}" for severity in SEVERITIES]
    report.table("Accuracy on corrupted crops, in percent", ["corruption", *severities, "mean"], rows)
    frame = _typical(images)
    strips = []
    for kind, name in enumerate(CORRUPTIONS):
        rngs = [np.random.default_rng((kind, severity)) for severity in SEVERITIES]
        steps = [corrupt(name, frame, severity=s, rng=rng) for s, rng in zip(SEVERITIES, rngs)]
        strips.append((name, np.hstack([frame, *steps])))
    report.pictures("The corruptions: one sign as it is, and at severity 1 to 5", strips)


def _typical(images: Sequence[SignImage]) -> Frame:
    """A crop near 64 px, rich in contrast and neither dark nor bright: every corruption can be seen on it."""
    frames = (read_bgr(image.path) for image in images[:: max(1, len(images) // 500)])

    def fault(frame: Frame) -> float:
        return abs(min(frame.shape[:2]) - 64) + abs(float(frame.mean()) - 128) - float(frame.std())

    return min(frames, key=fault)


def _add_classes(report: Report, classes: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        [label, *row.values()]
        for label, row in sorted(classes.items(), key=lambda item: item[1]["f1"] or 0.0)
    ]
    report.table("Classes, hardest first", ["class", "crops", "precision", "recall", "F1"], rows)


def _batches(items: Sequence[Item], what: str) -> Iterator[Sequence[Item]]:
    """The items in slices, with a progress bar."""
    for start in track(range(0, len(items), BATCH), what):
        yield items[start : start + BATCH]
