"""Quantize: a model file in, its INT8 version out, provided that it still sees the same.

Ranges are found on training pictures only; what is lost is measured on the validation part.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from perception.engines import Engine, open_engine
from perception.errors import WrongTaskError
from perception.spec import METADATA_KEY, ModelSpec
from training.datasets.images import LEARNT_VAL, DataError, fingerprint, require_labels
from training.datasets.pictures import load_frames, load_masks
from training.evaluate.evaluation import is_kept_aside
from training.export import differences
from training.graph import ExportError
from training.metrics import iou
from training.onnx.int8 import Frames, to_int8
from training.segmentation import data as segmentation
from training.segmentation.evaluate import confusion_matrix
from training.signs import data as signs
from training.signs.evaluate import Split, read_like

CALIBRATION = {"signs": 512, "segmentation": 32}  # training pictures
AGREEMENT = {"signs": 0.995, "segmentation": 0.95}  # with the float model: share of pictures, or of pixels
TOLERANCE = 0.1  # of scores, known and confidence, in as large a share
BATCH = {"signs": 8, "segmentation": 1}  # frames at a time
QUALITY = {"signs": "val_accuracy", "segmentation": "val_miou"}
RUNS = {"signs": 400, "segmentation": 40}  # of each model, to compare their speed


@dataclass(frozen=True)
class Pictures:
    """What a quantized model is made from and measured on, as the runtime would resize it.

    Attributes:
        calibration: (M, H, W, 3) uint8 BGR, of the training part.
        frames: (N, H, W, 3) uint8 BGR, the validation part.
        ids: the right classes: (N,), or (N, H, W) uint8 with 255 = unlabelled.
        unseen: whether the model has learnt from none of the validation part.
    """

    calibration: Frames
    frames: Frames
    ids: NDArray[Any]
    unseen: bool


def quantize(model: Path, data: Path, out: Path, *, method: str = "minmax") -> ModelSpec:
    """Write the INT8 model, if it agrees with the float one.

    Args:
        model: an exported file.
        data: root of the data set that it was trained on; its classes must be the model's.
        out: the ``.onnx`` to write.
        method: how a range is made of the values that occur, one of ``training.onnx.int8.METHODS``.
            ``percentile`` leaves outliers out, and keeps every activation of the calibration in memory.

    Returns:
        The spec inside the new file. Its validation metrics are those of the INT8 model.

    Raises:
        ExportError: the two disagree on validation pictures; nothing was written.
        DataError: the data set cannot be read or has other classes.
        ModelError: the model cannot be used.
    """
    exact = open_engine(model, device="cpu")
    task = exact.spec.task
    pictures = read_pictures(exact.spec, data)
    count = len(pictures.frames)
    proto = to_int8(onnx.load(model), pictures.calibration, method=method)
    out.parent.mkdir(parents=True, exist_ok=True)
    unchecked = out.with_suffix(".unchecked")
    try:
        onnx.save(proto, unchecked)
        rounded = open_engine(unchecked, device="cpu")
        agreement, as_sure, (float_quality, int8_quality) = compare(exact, rounded, pictures)
        if min(agreement, as_sure) < AGREEMENT[task]:
            raise ExportError(
                f"{model} and INT8 name the same class in {agreement:.2%} of {count} "
                f"validation pictures, and are as sure, within {TOLERANCE}, in {as_sure:.2%}; "
                f"{AGREEMENT[task]:.1%} are needed, so {out} was not written; another --method may do better"
            )
        name = QUALITY[task]
        calibrated = f"{method} over {len(pictures.calibration)} training pictures"
        how = f"{calibrated}, onnxruntime {onnxruntime.__version__}"
        measured = {name: int8_quality} if pictures.unseen else {}
        measured |= {"val_agreement": agreement}
        spec = describe(exact.spec, model, how=how, measured=measured)
        onnx.helper.set_model_props(proto, {METADATA_KEY: spec.to_json()})
        onnx.save(proto, unchecked)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    faster = speed_up(exact, rounded, np.resize(pictures.frames, (BATCH[task], *pictures.frames.shape[1:])))
    print(f"size           {model.stat().st_size / 1e6:.2f} MB, now {out.stat().st_size / 1e6:.2f} MB")
    on = f"{count} validation pictures" + ("" if pictures.unseen else "; it may have learnt from some or all")
    print(f"{name:<14} {float_quality:.4f}, now {int8_quality:.4f}, on {on}")
    print(f"same answer    {agreement:.3%} of the {'pictures' if task == 'signs' else 'pixels'}")
    print(f"speed          {faster:.2f} times, {BATCH[task]} frame(s) at a time on this CPU")
    return spec


def read_pictures(spec: ModelSpec, data: Path) -> Pictures:
    """Read training and validation part of the model's data set, split as at training.

    Raises:
        DataError: it cannot be read, has other classes, or nothing to validate with.
        WrongTaskError: there is no data for such models.
    """
    unseen = LEARNT_VAL not in spec.trained_on
    if spec.task == "signs":
        kept = Split.of(spec)
        found = read_like(spec, data, kept)
        train, val = signs.split_by_track(found.images, val_fraction=kept.val_fraction, seed=kept.seed)
        ids = np.array([image.class_id for image in val])
        unseen &= is_kept_aside(spec, fingerprint(image.track for image in val))
    elif spec.task == "segmentation":
        masks = segmentation.read(data)
        require_labels(masks.labels, spec.labels, data)
        train, val = list(masks.train), list(masks.val)
        ids = load_masks(masks.val, spec.input_hw, masks.ids).numpy()
        unseen &= is_kept_aside(spec, masks.kept_aside)
    else:
        raise WrongTaskError(
            f"a model for {spec.task!r} cannot be quantized; give one for signs or segmentation"
        )
    if not val:
        raise DataError(f"{data} has one track or picture of each class, none to validate with")
    chosen = train[:: math.ceil(len(train) / CALIBRATION[spec.task])]
    calibration, frames = (
        load_frames([image.path for image in images], spec.input_hw).permute(0, 2, 3, 1).numpy()
        for images in (chosen, val)
    )
    return Pictures(np.ascontiguousarray(calibration), np.ascontiguousarray(frames), ids, unseen)


def compare(exact: Engine, rounded: Engine, pictures: Pictures) -> tuple[float, float, tuple[float, float]]:
    """Both models on the validation part, a batch at a time, for the masks of all of it are large.

    Returns:
        Share of the pictures, or pixels, of which both name the same class, share of which they are as sure
        within TOLERANCE, and each model's metric.
    """
    task, classes = exact.spec.task, len(exact.spec.labels)
    same_count, sure_count, total, step = 0, 0, 0, BATCH[task]
    confusions = np.zeros((2, classes, classes + 1), np.int64)
    for start in range(0, len(pictures.frames), step):
        frames, ids = pictures.frames[start : start + step], pictures.ids[start : start + step]
        given = [engine.infer(frames) for engine in (exact, rounded)]
        same, apart = differences(*given)
        same_count, total = same_count + int(same.sum()), total + len(same)
        sure_count += int((apart <= TOLERANCE).sum())
        named = [a["mask"] if "mask" in a else a["scores"].argmax(axis=1) for a in given]
        confusions += [confusion_matrix(ids, answer, classes) for answer in named]
    before, after = (quality(task, confusion) for confusion in confusions)
    return same_count / total, sure_count / total, (before, after)


def quality(task: str, confusion: NDArray[np.int64]) -> float:
    """The task's metric, one of QUALITY."""
    return float(confusion.trace() / confusion.sum() if task == "signs" else np.nanmean(iou(confusion)))


def speed_up(exact: Engine, rounded: Engine, frames: Frames) -> float:
    """How many times faster the second engine is; both run in turn, so that other work slows both."""
    seconds = []
    for _ in range(RUNS[exact.spec.task]):
        start = time.perf_counter()
        exact.infer(frames)
        middle = time.perf_counter()
        rounded.infer(frames)
        seconds.append((middle - start, time.perf_counter() - middle))
    slow, fast = np.median(seconds, axis=0)
    return float(slow / fast)


def describe(spec: ModelSpec, model: Path, *, how: str, measured: Mapping[str, float]) -> ModelSpec:
    """The float model's spec with what INT8 changed; none of its validation metrics holds any more."""
    kept = {name: value for name, value in spec.metrics.items() if not name.startswith("val_")}
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    source = {**spec.source, "int8": how, "int8_of": f"{model.name}, sha256 {digest}"}
    return replace(spec, metrics=kept | measured, source=source)
