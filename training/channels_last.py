"""Pooling and unpooling of an exported graph, moved channels last, as INT8 convolutions on a CPU are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from training.graphs import ExportError


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
