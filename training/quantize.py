"""Quantize: a model file in, its INT8 version out, provided that it still sees the same.

Weights and activations are symmetric INT8 (zero point 0) between QuantizeLinear and DequantizeLinear nodes:
what TensorRT takes, and what ONNX Runtime makes integer convolutions of. In float stay

- the first and the last layer with weights: with three input channels or a dozen outputs INT8 is slower;
- biases: TensorRT takes none in INT32, and ONNX Runtime (1.21 and later) quantizes them by itself;
- shortcuts, pooling and unpooling: before 1.24 ONNX Runtime's CPU knows no maximum of INT8.

Ranges are found on training pictures only; what is lost is measured on the validation part.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray
from onnx_ir.passes import common as passes
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from perception.engine import Engine, open_engine
from perception.errors import WrongTaskError
from perception.spec import METADATA_KEY, ModelSpec
from training.data import segmentation, signs
from training.data.images import LEARNT_VAL, DataError, load_frames, load_masks, require_labels
from training.evaluate.segmentation import confusion_matrix
from training.evaluate.signs import Split, read_like
from training.graphs import ExportError
from training.metrics import iou

# No entropy: with 128 bins for 128 levels, ONNX Runtime's only candidate is the whole range, as in minmax.
METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
CALIBRATION = {"signs": 512, "segmentation": 32}  # training pictures
AGREEMENT = {"signs": 0.995, "segmentation": 0.95}  # with the float model: share of classes, or of pixels
BATCH = {"signs": 8, "segmentation": 1}  # frames at a time where speed is measured
RUNS = {"signs": 400, "segmentation": 40}  # of each model, to compare their speed

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """What a quantized model is made from and measured on, as the runtime would resize it.

    Attributes:
        calibration: (M, H, W, 3) uint8 BGR, of the training part.
        frames: (N, H, W, 3) uint8 BGR, the validation part.
        ids: the right classes: (N,), or (N, H, W) uint8 with 255 = unlabelled.
    """

    calibration: Frames
    frames: Frames
    ids: NDArray[Any]


def quantize(model: Path, data: Path, out: Path, *, method: str = "minmax") -> ModelSpec:
    """Write the INT8 model, if it agrees with the float one.

    Args:
        model: an exported file.
        data: root of the data set that it was trained on; its classes must be the model's.
        out: the ``.onnx`` to write.
        method: how a range is made of the values that occur, one of METHODS. ``percentile`` leaves outliers
            out, and keeps every activation of the calibration in memory.

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
    proto = to_int8(onnx.load(model), pictures.calibration, method=method)
    out.parent.mkdir(parents=True, exist_ok=True)
    unchecked = out.with_suffix(".unchecked")
    try:
        onnx.save(proto, unchecked)
        rounded = open_engine(unchecked, device="cpu")
        before, after = answers(exact, pictures.frames), answers(rounded, pictures.frames)
        agreement = float(np.mean(before == after))
        if agreement < AGREEMENT[task]:
            raise ExportError(
                f"{model} and INT8 agree on {agreement:.2%} of {len(before)} validation pictures; "
                f"{AGREEMENT[task]:.1%} are needed, so {out} was not written; another --method may do better"
            )
        name, float_quality = quality(exact.spec, before, pictures.ids)
        _, int8_quality = quality(exact.spec, after, pictures.ids)
        calibrated = f"{method} over {len(pictures.calibration)} training pictures"
        how = f"{calibrated}, onnxruntime {onnxruntime.__version__}"
        learnt = LEARNT_VAL in exact.spec.trained_on
        measured = ({} if learnt else {name: int8_quality}) | {"val_agreement": agreement}
        spec = describe(exact.spec, model, how=how, measured=measured)
        onnx.helper.set_model_props(proto, {METADATA_KEY: spec.to_json()})
        onnx.save(proto, unchecked)
        unchecked.replace(out)
    finally:
        unchecked.unlink(missing_ok=True)
    faster = speed_up(exact, rounded, np.resize(pictures.frames, (BATCH[task], *pictures.frames.shape[1:])))
    print(f"size           {model.stat().st_size / 1e6:.2f} MB, now {out.stat().st_size / 1e6:.2f} MB")
    on = f"{len(before)} validation pictures" + (", which the model has learnt" if learnt else "")
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
    if spec.task == "signs":
        kept = Split.of(spec)
        found = read_like(spec, data, kept)
        train, val = signs.split_by_track(found.images, val_fraction=kept.val_fraction, seed=kept.seed)
        ids = np.array([image.class_id for image in val])
    elif spec.task == "segmentation":
        masks = segmentation.read(data)
        require_labels(masks.labels, spec.labels, data)
        train, val = list(masks.train), list(masks.val)
        ids = load_masks(masks.val, spec.input_hw, masks.ids).numpy()
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
    return Pictures(np.ascontiguousarray(calibration), np.ascontiguousarray(frames), ids)


def to_int8(model: onnx.ModelProto, calibration: Frames, *, method: str = "minmax") -> onnx.ModelProto:
    """Put Q/DQ nodes around the inner convolutions.

    Args:
        model: float, as ``export`` writes it.
        calibration: (M, H, W, 3) uint8 BGR of the size that the model takes.
        method: one of METHODS.
    """
    graph = ir.from_proto(model)
    pool_channels_last(graph.graph)
    passes.RemoveUnusedNodesPass()(graph)
    prepared = ir.to_proto(graph)
    add_pre_process_metadata(prepared)  # export folded and simplified the graph already
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            prepared,
            path,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=METHODS[method],
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=inner_convolutions(graph.graph),
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )
        quantized = ir.from_proto(onnx.load(path))
    dequantize_for_convolutions_only(quantized.graph)
    return ir.to_proto(quantized)


def answers(engine: Engine, frames: Frames) -> NDArray[Any]:
    """The class of each frame (N,), or of each pixel (N, H, W)."""
    step = BATCH[engine.spec.task]
    parts = [engine.infer(frames[start : start + step]) for start in range(0, len(frames), step)]
    if engine.spec.task == "signs":
        return np.concatenate([part["scores"].argmax(axis=1) for part in parts])
    return np.concatenate([part["mask"] for part in parts])


def quality(spec: ModelSpec, given: NDArray[Any], ids: NDArray[Any]) -> tuple[str, float]:
    """Name and value of the task's metric."""
    if spec.task == "signs":
        return "val_accuracy", float(np.mean(given == ids))
    return "val_miou", float(np.nanmean(iou(confusion_matrix(ids, given, len(spec.labels)))))


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


def inner_convolutions(graph: ir.Graph) -> list[str]:
    """Names of the convolutions between first and last layer; those of 1×1 only weigh channels here."""
    layers = [node for node in graph if node.op_type in ("Conv", "Gemm", "MatMul")]
    return [str(node.name) for node in layers[1:-1] if node.op_type == "Conv" and _kernel(node) > 1]


def dequantize_for_convolutions_only(graph: ir.Graph) -> None:
    """Let everything but convolutions read the float tensor before its QuantizeLinear.

    On x86, ONNX Runtime turns INT8 into UINT8, which VNNI wants, and makes an integer convolution only where
    each QuantizeLinear has a single reader. A shortcut is a second one.
    """
    for node in list(graph):
        if node.op_type != "DequantizeLinear" or (source := node.inputs[0].producer()) is None:
            continue
        readers = node.outputs[0].uses()
        if any(reader.op_type == "Conv" for reader, _ in readers):
            for reader, index in readers:
                if reader.op_type != "Conv":
                    reader.replace_input_with(index, source.inputs[0])


def pool_channels_last(graph: ir.Graph) -> None:
    """Move pooling and unpooling (``training/nets/phases.py``) from (N, C, H, W) to (N, H, W, C).

    The results are the same, bit for bit. Integer convolutions work channels last in ONNX Runtime, so the
    transpositions here meet theirs and vanish; and every second column is then a run of C values instead of a
    single one, so slices and concatenations take a fraction of the time. Other models stay as they are.
    """
    for node in list(graph):
        if node.op_type == "Slice":
            starts, _, *axes_and_steps = (_constant(value) for value in node.inputs[1:])
            if starts == (0, 0) and axes_and_steps == [(2, 3), (2, 2)]:
                _pool_channels_last(ir.tape.Tape(graph), node.inputs[0], node.outputs[0])
    graph.sort()


def _pool_channels_last(tape: ir.tape.Tape, features: ir.Value, corner: ir.Value) -> None:
    """Write one pooling and its unpooling anew.

    Args:
        tape: writes into the graph.
        features: (N, C, H, W), what is pooled.
        corner: (N, C, H/2, W/2), the upper left of each 2×2 window; all else is found from here.
    """
    top = _next(corner, "Max")
    pooled, is_low = _next(top, "Max"), _next(top, "Greater")
    up = _next(_next(_next(is_low, "Where"), "Equal"), "Where")
    _, x, fill = up.producer().inputs
    while up.consumers()[0].op_type in ("Unsqueeze", "Concat", "Reshape"):
        up = up.consumers()[0].outputs[0]
    _, channels, height, width = _constant(up.producer().inputs[1])

    def constant(name: str, *values: int) -> ir.Value:
        return tape.initializer(ir.tensor(np.array(values, np.int64)), f"{features.name}_{name}")

    def channels_last(value: ir.Value) -> ir.Value:
        return tape.op("Transpose", [value], {"perm": (0, 2, 3, 1)})

    def channels_first(value: ir.Value) -> ir.Value:
        return tape.op("Transpose", [value], {"perm": (0, 3, 1, 2)})

    def window(row: int, column: int) -> ir.Value:
        start = constant(f"start_{row}{column}", row, column * channels)
        end = constant(f"end_{row}{column}", height, (column + 1) * channels)
        return tape.op("Slice", [pairs, start, end, axes, steps])

    def part(values: ir.Value, larger: ir.Value, smaller: ir.Value) -> tuple[ir.Value, ir.Value]:
        """The values, zero where ``larger`` wins over ``smaller``, and the values, zero elsewhere."""
        mask = tape.op("Cast", [tape.op("Greater", [larger, smaller])], {"to": ir.DataType.FLOAT})
        rest = tape.op("Mul", [values, mask])
        return tape.op("Sub", [values, rest]), rest

    axes, steps = constant("axes", 1, 3), constant("steps", 2, 1)
    others = features.uses()
    # The two columns of a window side by side. ONNX Runtime moves no transposition past a Reshape.
    pair_shape = constant("pair_shape", -1, height, width // 2, 2 * channels)
    pairs = tape.op("Reshape", [channels_last(features), pair_shape])
    top_left, top_right, low_left, low_right = (window(row, column) for row in (0, 1) for column in (0, 1))
    top, low = tape.op("Max", [top_left, top_right]), tape.op("Max", [low_left, low_right])
    pooled.replace_all_uses_with(channels_first(tape.op("Max", [top, low])))

    x = channels_last(x)
    is_filled = fill.const_value is None  # else zero
    if is_filled:
        fill = channels_last(fill)
        x = tape.op("Sub", [x, fill])
    in_top, in_low = part(x, low, top)
    rows = [part(in_top, top_right, top_left), part(in_low, low_right, low_left)]
    if is_filled:
        rows = [[tape.op("Add", [value, fill]) for value in row] for row in rows]
    lines = [tape.op("Concat", row, {"axis": 3}) for row in rows]
    both = tape.op("Concat", lines, {"axis": 2})  # (N, H/2, W, 2C): a window's upper row, then its lower one
    shape = constant("shape", -1, height, width, channels)
    up.replace_all_uses_with(channels_first(tape.op("Reshape", [both, shape])))
    # A shortcut to the decoder meets the unpooled values channels last as well.
    back = channels_first(tape.op("Reshape", [pairs, shape]))
    for reader, index in others:
        reader.replace_input_with(index, back)


def _next(value: ir.Value, op_type: str) -> ir.Value:
    """What the first reader of this type makes of a value."""
    for node in value.consumers():
        if node.op_type == op_type:
            return node.outputs[0]
    raise ExportError(
        f"the pooling at {value.name} is not what training/nets/phases.py makes; export the model again"
    )


def _constant(value: ir.Value) -> tuple[int, ...]:
    """The numbers of an initializer; none where the graph computes them."""
    return () if value.const_value is None else tuple(value.const_value.numpy().ravel().tolist())


class _Reader(CalibrationDataReader):
    def __init__(self, frames: Frames) -> None:
        self._rest: Iterator[Frames] = iter(frames)

    def get_next(self) -> dict[str, Frames] | None:
        frame = next(self._rest, None)
        return None if frame is None else {"frames": frame[np.newaxis]}


def _kernel(node: ir.Node) -> int:
    return int(node.inputs[1].const_value.shape[2])
