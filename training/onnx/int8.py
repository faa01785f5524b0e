"""INT8 in the graph: what is rounded, and where, so that TensorRT takes it and ONNX Runtime is fast.

Weights and activations are symmetric INT8 (zero point 0) between QuantizeLinear and DequantizeLinear nodes.
TensorRT takes these, and ONNX Runtime makes integer convolutions of them. The output of a ReLU is UINT8, at
the same scale: ONNX Runtime's integer convolutions round to it without a ReLU, and TensorRT (10 and later)
takes it for INT8. Either has 127 levels or more, which is enough. In float stay

- the first and the last layer with weights, because INT8 is slower with three inputs or a dozen outputs;
- biases, because TensorRT takes none in INT32, and ONNX Runtime (1.21 and later) quantizes them itself;
- shortcuts, pooling and unpooling, because ONNX Runtime before 1.24 has no maximum of INT8 on a CPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
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

from training.onnx.channels_last import classify_channels_last, pool_channels_last
from training.onnx.walk import inputs, made_by, stored

# Entropy is left out: with 128 bins for 128 levels, its only candidate is the whole range, as in minmax.
METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
MOVES = ("Concat", "Reshape", "Transpose")  # change no value

Frames = NDArray[np.uint8]


def to_int8(
    model: onnx.ModelProto, calibration: Sequence[Frames], *, method: str = "minmax"
) -> onnx.ModelProto:
    """Put Q/DQ nodes around the inner convolutions.

    Args:
        model: float, as ``export`` writes it.
        calibration: M frames (H, W, 3) uint8 BGR of a size that the model takes.
        method: one of METHODS.
    """
    graph = ir.from_proto(model)
    pool_channels_last(graph.graph)
    classify_channels_last(graph.graph)
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
    round_after_relu(quantized.graph)
    quantize_before_moving(quantized.graph)
    passes.RemoveUnusedNodesPass()(quantized)
    return ir.to_proto(quantized)


def inner_convolutions(graph: ir.Graph) -> list[str]:
    """Names of the convolutions between first and last layer; those of 1×1 only weigh channels here."""
    _, *layers, _ = [node for node in graph if node.op_type in ("Conv", "Gemm", "MatMul")]
    return [str(node.name) for node in layers if node.op_type == "Conv" and _kernel(node) > 1]


def dequantize_for_convolutions_only(graph: ir.Graph) -> None:
    """Let everything but convolutions read the float tensor before its QuantizeLinear.

    On x86, ONNX Runtime turns INT8 into UINT8, which VNNI needs. It makes an integer convolution only if each
    QuantizeLinear has a single reader, and a shortcut is a second one.
    """
    for node in list(graph):
        if node.op_type != "DequantizeLinear" or (source := _producer(node)) is None:
            continue
        readers = node.outputs[0].uses()
        if any(reader.op_type == "Conv" for reader, _ in readers):
            for reader, index in readers:
                if reader.op_type != "Conv":
                    reader.replace_input_with(index, source.inputs[0])


def round_after_relu(graph: ir.Graph) -> None:
    """Round the output of an integer convolution behind its ReLU, not before it and behind it.

    So the ReLU costs nothing, because rounding to UINT8 cuts off negative values. Neither float values nor a
    second rounding are between two convolutions.
    """
    tape = ir.tape.Tape(graph)
    zero_point = tape.initializer(ir.tensor(np.array(0, np.uint8)), "none_negative")
    for relu in list(graph):
        dequantize = _producer(relu) if relu.op_type == "Relu" else None
        if dequantize is None or dequantize.op_type != "DequantizeLinear":
            continue
        value, scale, _ = inputs(made_by(dequantize.inputs[0]))
        relu.replace_input_with(0, value)
        readers = relu.outputs[0].uses()
        again = [reader for reader, _ in readers if reader.op_type == "QuantizeLinear"]
        if again:  # of values that are not negative, so the scale is finer
            scale = inputs(again[0])[1]
        levels = tape.op("QuantizeLinear", [relu.outputs[0], scale, zero_point])
        rounded = tape.op("DequantizeLinear", [levels, scale, zero_point])
        for reader, index in readers:
            if reader.op_type == "QuantizeLinear":
                for second in reader.outputs[0].consumers():
                    second.outputs[0].replace_all_uses_with(rounded)
            else:
                reader.replace_input_with(index, rounded)
    graph.sort()


def quantize_before_moving(graph: ir.Graph) -> None:
    """Round values where they are made, so that a quarter of the bytes is joined, reshaped and transposed.

    The results are the same. Behind each move is another pair of QuantizeLinear and DequantizeLinear, so that
    ONNX Runtime and TensorRT see that the move is one of INT8.
    """
    tape = ir.tape.Tape(graph)

    def rounded(value: ir.Value, *scale: ir.Value) -> ir.Value:
        levels = tape.op("QuantizeLinear", [early(value, *scale), *scale])
        return tape.op("DequantizeLinear", [levels, *scale])

    def early(value: ir.Value, *scale: ir.Value) -> ir.Value:
        """The value, its parts rounded before the moves that led to it."""
        move = value.producer()
        if move is None or move.op_type not in MOVES or len(value.uses()) > 1:
            return value
        parts = len(move.inputs) if move.op_type == "Concat" else 1
        values = inputs(move)
        early_values = [rounded(part, *scale) for part in values[:parts]]
        return tape.op(move.op_type, [*early_values, *values[parts:]], move.attributes)

    for node in list(graph):
        if node.op_type == "QuantizeLinear":
            node.replace_input_with(0, early(*inputs(node)))
    graph.sort()


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    def __init__(self, frames: Sequence[Frames]) -> None:
        self._rest: Iterator[Frames] = iter(frames)

    def get_next(self) -> dict[str, Frames] | None:
        frame = next(self._rest, None)
        return None if frame is None else {"frames": frame[np.newaxis]}


def _kernel(node: ir.Node) -> int:
    return int(stored(node.inputs[1]).shape[2])


def _producer(node: ir.Node) -> ir.Node | None:
    """What computes the first input of a node, if anything does."""
    value = node.inputs[0]
    return value.producer() if value is not None else None
