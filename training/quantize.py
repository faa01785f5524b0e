"""Quantize: a model file in, its INT8 version out, provided that it still sees the same.

The ranges are taken from training pictures only; what is lost is measured on the validation part.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from perception.engines import open_engine
from perception.engines.contract import Engine
from perception.frames import Frame
from perception.paths import writing
from perception.spec import METADATA_KEY, ModelSpec
from training.comparison import Comparison, Quantization
from training.datasets.images import DataError
from training.datasets.tensors import load_frames
from training.graph import ExportError
from training.onnx.int8 import to_int8
from training.tasks import column

TOLERANCE = 0.1  # of how sure both models are, in as large a share as the same answer


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a quantized model is made from and measured on, as the runtime would resize it.

    Attributes:
        calibration: M frames (H, W, 3) uint8 BGR, of the training part.
        frames: N frames (H, W, 3) uint8 BGR, the validation part.
        wanted: N right answers.
        is_unseen: whether the model has learnt from none of the validation part.
    """

    calibration: Sequence[Frame]
    frames: Sequence[Frame]
    wanted: NDArray[Any] | Sequence[NDArray[Any]]
    is_unseen: bool


@dataclass(frozen=True)
class Agreement:
    """What INT8 changed, on the validation part.

    Attributes:
        same: share of the pictures, pixels or boxes of which both models say the same.
        as_sure: share of which they are as sure, within TOLERANCE.
        before: the float model's measure.
        after: the INT8 model's.
    """

    same: float
    as_sure: float
    before: float
    after: float


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
        ModelError: the model cannot be used, or there is no INT8 for its task.
    """
    exact = open_engine(model, device="cpu")
    task: Quantization = column(exact.spec.task, "quantize")
    if "int8" in exact.spec.source:
        raise DataError(f"{model} is in INT8 already; give the file that it was made from")
    pictures = read_pictures(exact.spec, data)
    proto = to_int8(onnx.load(model), pictures.calibration, method=method)
    out.parent.mkdir(parents=True, exist_ok=True)
    unchecked = out.with_suffix(".unchecked")
    try:
        with writing(unchecked):
            onnx.save(proto, unchecked)
        rounded = open_engine(unchecked, device="cpu")
        agreement = compare(exact, rounded, pictures)
        if min(agreement.same, agreement.as_sure) < task.agreement:
            raise ExportError(
                f"{model} and INT8 give the same answer for {agreement.same:.2%} of the {task.counted} of "
                f"{len(pictures.frames)} validation pictures, and are as sure, within {TOLERANCE}, for "
                f"{agreement.as_sure:.2%}; {task.agreement:.1%} are needed, so {out} was not written; "
                "another --method may do better"
            )
        measured = {task.metric: agreement.after} if pictures.is_unseen else {}
        measured["val_agreement"] = agreement.same
        calibrated = f"{method} over {len(pictures.calibration)} training pictures"
        how = f"{calibrated}, onnxruntime {onnxruntime.__version__}"
        spec = describe(exact.spec, model, how=how, measured=measured)
        onnx.helper.set_model_props(proto, {METADATA_KEY: spec.to_json()})
        with writing(unchecked):
            onnx.save(proto, unchecked)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    print(f"size           {model.stat().st_size / 1e6:.2f} MB, now {out.stat().st_size / 1e6:.2f} MB")
    print_losses(task, agreement, pictures)
    faster = speed_up(exact, rounded, pictures.frames, task)
    print(f"speed          {faster:.2f} times, {task.batch} frame(s) at a time on this CPU")
    return spec


def print_losses(task: Quantization, agreement: Agreement, pictures: Pictures) -> None:
    """Print what INT8 changed."""
    seen = "" if pictures.is_unseen else "; it may have learnt from some or all"
    on = f"{len(pictures.frames)} validation pictures{seen}"
    print(f"{task.metric:<14} {agreement.before:.4f}, now {agreement.after:.4f}, on {on}")
    print(f"same answer    {agreement.same:.3%} of the {task.counted}")


def read_pictures(spec: ModelSpec, data: Path) -> Pictures:
    """Read training and validation part of the model's data set, split as at training.

    Raises:
        DataError: it cannot be read, has other classes, or nothing to validate with.
        WrongTaskError: there is no INT8 for such models.
    """
    task: Quantization = column(spec.task, "quantize")
    parts = task.read(spec, data)
    if not parts.val:
        raise DataError(f"{data} has one track or picture of each class, none to validate with")
    chosen = parts.train[:: math.ceil(len(parts.train) / task.calibration)]
    load = task.load or resized
    calibration, frames = (load(spec, paths) for paths in (chosen, parts.val))
    return Pictures(calibration, frames, parts.wanted, parts.is_unseen)


def resized(spec: ModelSpec, paths: Sequence[Path]) -> Sequence[Frame]:
    """Frames (N, H, W, 3) uint8 BGR of the size that a model takes."""
    return list(np.ascontiguousarray(load_frames(paths, spec.input_hw).permute(0, 2, 3, 1).numpy()))


def compare(exact: Engine, rounded: Engine, pictures: Pictures) -> Agreement:
    """Run both models on the validation part, a batch at a time, because the masks of all are large."""
    task: Quantization = column(exact.spec.task, "quantize")
    comparison: Comparison = column(exact.spec.task, "comparison")
    classes = len(exact.spec.labels)
    same_count, sure_count, total = 0, 0, 0
    totals: Any = 0
    for start in range(0, len(pictures.frames), task.batch):
        batch = slice(start, start + task.batch)
        frames = np.stack(pictures.frames[batch])
        given = [engine.infer(frames) for engine in (exact, rounded)]
        same, apart = comparison.differences(*given)
        same_count, total = same_count + int(same.sum()), total + len(same)
        sure_count += int((apart <= TOLERANCE).sum())
        totals = totals + np.stack([task.tally(pictures.wanted[batch], one, classes) for one in given])
    before, after = (task.quality(tally) for tally in totals)
    return Agreement(same_count / total, sure_count / total, before, after)


def speed_up(exact: Engine, rounded: Engine, frames: Sequence[Frame], task: Quantization) -> float:
    """How many times faster the second engine is; both run in turn, so that other work slows both."""
    batch = np.stack([frames[number % len(frames)] for number in range(task.batch)])
    seconds = []
    for _ in range(task.runs):
        start = time.perf_counter()
        exact.infer(batch)
        middle = time.perf_counter()
        rounded.infer(batch)
        seconds.append((middle - start, time.perf_counter() - middle))
    slow, fast = np.median(seconds, axis=0)
    return float(slow / fast)


def describe(spec: ModelSpec, model: Path, *, how: str, measured: Mapping[str, float]) -> ModelSpec:
    """The float model's spec with what INT8 changed; none of its validation metrics holds any more."""
    kept = {name: value for name, value in spec.metrics.items() if not name.startswith("val_")}
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    source = {**spec.source, "int8": how, "int8_of": f"{model.name}, sha256 {digest}"}
    return replace(spec, metrics={**kept, **measured}, source=source)
