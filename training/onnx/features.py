"""What a net thinks of a frame: its deepest features, as one more output of an exported model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import onnxslim
from numpy.typing import NDArray
from onnx import TensorProto, helper

from perception.engines.checks import INPUT
from perception.errors import ModelError

OUTPUT = "features"


class Features:
    """The mean of each channel where the net's resolution is lowest.

    Args:
        model: an exported file.
        size_hw: of the frames, if the model takes any.

    Raises:
        ModelError: the file has no layer of channels, height and width.
    """

    def __init__(self, model: Path, *, size_hw: tuple[int, int] | None = None) -> None:
        proto = onnx.load(model)
        if size_hw:  # what depends on it becomes constant, so that the sizes of all layers are known
            proto = onnxslim.slim(proto, input_shapes=[f"{INPUT}:1,{size_hw[0]},{size_hw[1]},3"])
        deepest = _deepest(proto)
        if not deepest:
            raise ModelError(f"{model}: no layer in it has channels, height and width to take features from")
        pooled = helper.make_node("GlobalAveragePool", [deepest], [OUTPUT])
        proto.graph.node.append(pooled)
        proto.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 BGR of the model's size to (N, D) float32."""
        (features,) = self._session.run([OUTPUT], {INPUT: frames})
        return np.asarray(features, np.float32).reshape(len(frames), -1)


def _deepest(proto: onnx.ModelProto) -> str:
    """The last of the ReLUs and sums with the fewest pixels; of these, with the most channels."""
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in inferred.value_info
        if value.type.tensor_type.elem_type == TensorProto.FLOAT  # sums of positions are whole numbers
    }
    best, name = (0, 0), ""
    for node in inferred.node:
        shape = shapes.get(node.output[0], [])
        # One pixel is the mean of the whole picture already, which weighs channels.
        if node.op_type in ("Relu", "Add") and len(shape) == 4 and all(shape[1:]) and shape[2] > 1:
            rank = (-shape[2] * shape[3], shape[1])
            if not name or rank >= best:
                best, name = rank, node.output[0]
    return name
