"""What stays float between INT8 convolutions, moved to channels last, as those are on a CPU.

The results are the same up to rounding. Models that have no such parts stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from training.onnx.walk import inputs, made_by, numbers, read_by, stored


def pool_channels_last(graph: ir.Graph) -> None:
    """Move pooling and unpooling (``training/segmentation/phases.py``) from (N, C, H, W) to (N, H, W, C).

    The results are the same bit for bit, except that filling a window rounds. Integer convolutions work
    channels last in ONNX Runtime, so the transpositions here meet theirs and vanish. Every second column is
    then a run of C values instead of a single one, so slices and concatenations take a fraction of the time.
    """
    for node in list(graph):
        if node.op_type == "Conv" and _picks_top_left(node):
            features = inputs(node)[0]
            _pool_channels_last(ir.tape.Tape(graph), features, _Pooling.from_corner(node.outputs[0]))
    graph.sort()


def _picks_top_left(node: ir.Node) -> bool:
    weights = stored(inputs(node)[1])
    is_one_by_one = weights.shape[1:] == (1, 2, 2) and len(inputs(node)) == 2
    return is_one_by_one and bool((weights.reshape(-1, 4) == (1, 0, 0, 0)).all())


def classify_channels_last(graph: ir.Graph) -> None:
    """Make a matrix product of the 1×1 convolution that gives each pixel's logits.

    The results are the same up to the order of sums. A float convolution would move its input into a layout
    of its own.
    """
    last = [node for node in graph if node.op_type in ("Conv", "Gemm", "MatMul")][-1]
    if last.op_type != "Conv" or len(last.inputs) < 3 or stored(last.inputs[1]).shape[2:] != (1, 1):
        return
    features, weights, bias = inputs(last)
    tape = ir.tape.Tape(graph)
    factor = tape.initializer(ir.tensor(stored(weights)[..., 0, 0].T), f"{weights.name}_matrix")
    column = tape.initializer(ir.tensor(stored(bias)[:, None, None]), f"{bias.name}_column")
    product = tape.op("MatMul", [_channels_last(tape, features), factor])
    # Added channels first: few values to a pixel are slow to add to.
    logits = tape.op("Add", [_channels_first(tape, product), column])
    last.outputs[0].replace_all_uses_with(logits)
    graph.sort()


@dataclass(frozen=True)
class _Pooling:
    """One pooling and its unpooling, as ``training/segmentation/phases.py`` makes them.

    Attributes:
        pooled: (N, C, H/2, W/2), the maxima.
        x: (N, C, H/2, W/2), what is unpooled.
        fill: (N, C, H/2, W/2), or a constant, for the other three positions of each window.
        up: (N, C, H, W), the unpooled values.
        shape: C, H, W.
    """

    pooled: ir.Value
    x: ir.Value
    fill: ir.Value
    up: ir.Value
    shape: tuple[int, int, int]

    @classmethod
    def from_corner(cls, corner: ir.Value) -> _Pooling:
        """Follow the graph from (N, C, H/2, W/2), the upper left of each 2×2 window."""
        top = read_by(corner, "Max")
        pooled, is_low = read_by(top, "Max"), read_by(top, "Greater")
        up = read_by(read_by(read_by(is_low, "Where"), "Equal"), "Where")
        _, x, fill = inputs(made_by(up))
        while up.consumers()[0].op_type in ("Unsqueeze", "Concat", "Reshape"):
            up = up.consumers()[0].outputs[0]
        _, channels, height, width = numbers(inputs(made_by(up))[1])
        return cls(pooled, x, fill, up, (channels, height, width))


def _pool_channels_last(tape: ir.tape.Tape, features: ir.Value, pooling: _Pooling) -> None:
    """Write one pooling and its unpooling anew.

    Args:
        tape: writes into the graph.
        features: (N, C, H, W), what is pooled.
        pooling: of these features.
    """
    channels, height, width = pooling.shape
    x, fill, up = pooling.x, pooling.fill, pooling.up

    def constant(name: str, *values: int) -> ir.Value:
        return tape.initializer(ir.tensor(np.array(values, np.int64)), f"{features.name}_{name}")

    def window(row: int, column: int) -> ir.Value:
        start = constant(f"start_{row}{column}", row, column * channels)
        end = constant(f"end_{row}{column}", height, (column + 1) * channels)
        return tape.op("Slice", [pairs, start, end, axes, steps])

    axes, steps = constant("axes", 1, 3), constant("steps", 2, 1)
    others = features.uses()
    # The two columns of a window side by side. ONNX Runtime moves no transposition past a Reshape, so there
    # is a Reshape even if it changes no shape.
    pair_shape = constant("pair_shape", -1, height, width // 2, 2 * channels)
    pairs = tape.op("Reshape", [_channels_last(tape, features), pair_shape])
    corners = [[window(row, column) for column in (0, 1)] for row in (0, 1)]
    (top_left, top_right), (low_left, low_right) = corners
    top, low = tape.op("Max", [top_left, top_right]), tape.op("Max", [low_left, low_right])
    pooling.pooled.replace_all_uses_with(_channels_first(tape, tape.op("Max", [top, low])))

    x = _channels_last(tape, x)
    is_filled = fill.const_value is None  # else zero
    if is_filled:
        fill = _channels_last(tape, fill)
        x = tape.op("Sub", [x, fill])
    in_top, in_low = _parts(tape, x, low, top)
    rows: list[Sequence[ir.Value]]
    rows = [_parts(tape, in_top, top_right, top_left), _parts(tape, in_low, low_right, low_left)]
    if is_filled:
        rows = [[tape.op("Add", [value, fill]) for value in row] for row in rows]
    for reader in up.consumers():
        if reader.op_type == "Add" and features in reader.inputs:  # the skip, from the corners at hand
            rows = [[tape.op("Add", pair) for pair in zip(*row)] for row in zip(rows, corners)]
            up = reader.outputs[0]
    lines = [tape.op("Concat", row, {"axis": 3}) for row in rows]
    both = tape.op("Concat", lines, {"axis": 2})  # (N, H/2, W, 2C): a window's upper row, then its lower one
    shape = constant("shape", -1, height, width, channels)
    up.replace_all_uses_with(_channels_first(tape, tape.op("Reshape", [both, shape])))
    back = _channels_first(tape, tape.op("Reshape", [pairs, shape]))
    for reader, index in others:
        reader.replace_input_with(index, back)


def _parts(
    tape: ir.tape.Tape, values: ir.Value, larger: ir.Value, smaller: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """The values, zero where ``larger`` wins over ``smaller``, and the values, zero elsewhere."""
    mask = tape.op("Cast", [tape.op("Greater", [larger, smaller])], {"to": ir.DataType.FLOAT})
    rest = tape.op("Mul", [values, mask])
    return tape.op("Sub", [values, rest]), rest


def _channels_last(tape: ir.tape.Tape, value: ir.Value) -> ir.Value:
    return tape.op("Transpose", [value], {"perm": (0, 2, 3, 1)})


def _channels_first(tape: ir.tape.Tape, value: ir.Value) -> ir.Value:
    return tape.op("Transpose", [value], {"perm": (0, 3, 1, 2)})
