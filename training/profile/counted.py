"""What is known of an exported file without running it: multiply-accumulates and parameters."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import onnx

COUNTED = ("Conv", "MatMul", "Gemm")


@dataclass
class Counted:
    """Of all operators of one type.

    Attributes:
        macs: multiply-accumulates for one frame.
        parameters: numbers that are stored in the file as weights and biases.
    """

    macs: int = 0
    parameters: int = 0


def counted(model: onnx.ModelProto, frames: tuple[int, ...]) -> dict[str, Counted]:
    """Costs of a file's convolutions and matrix products, by the type of operator.

    Integer convolutions are counted under the name that ONNX Runtime gives them.

    Args:
        model: the file; the size of its input is set.
        frames: shape of the input (N, H, W, 3).
    """
    for axis, size in zip(model.graph.input[0].type.tensor_type.shape.dim, frames):
        axis.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    stored = {constant.name: list(constant.dims) for constant in inferred.initializer}
    shapes = stored | {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.output)
    }
    rounded = {node.output[0]: node.input[0] for node in inferred.node if node.op_type == "DequantizeLinear"}
    by_type: dict[str, Counted] = defaultdict(Counted)
    for node in inferred.node:
        if node.op_type not in COUNTED:
            continue
        is_integer = all(name in rounded for name in node.input[:2])
        own = by_type[f"QLinear{node.op_type}" if is_integer else node.op_type]
        weights = shapes.get(rounded.get(node.input[1], node.input[1]), [])
        each = math.prod(weights[1:]) if node.op_type == "Conv" else math.prod(weights[:1])
        own.macs += each * math.prod(shapes.get(node.output[0], [0]))
        given = (rounded.get(name, name) for name in node.input)
        own.parameters += sum(math.prod(stored[name]) for name in given if name in stored)
    return dict(by_type)
