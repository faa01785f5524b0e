"""The plain way to a mask: resize, numpy, a float net and argmax, with the weights of a model file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime

from perception.engines import read_spec
from perception.frames import Frame

STEPS = {"Div": np.divide, "Sub": np.subtract, "Mul": np.multiply, "Add": np.add}


def is_possible() -> bool:
    """Whether ``onnx`` is there, which only the training needs."""
    return find_spec("onnx") is not None


def way(model: Path, frame: Frame, threads: int) -> Callable[[], np.ndarray]:
    """A function that gives the mask of a frame, at the frame's size.

    Args:
        model: a float file for masks. Its net is cut out, without what comes before the first convolution and
            without what comes after the logits.
        frame: (H, W, 3) uint8 BGR.
        threads: of ONNX Runtime. Its other options are its defaults, but for threads that spin after their
            work: these would slow whatever takes turns with this.
    """
    net, steps = cut(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(net, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    height, width = read_spec(model).input_hw

    def mask() -> np.ndarray:
        pixels = cv2.resize(frame, (width, height)).astype(np.float32).transpose(2, 0, 1)[np.newaxis]
        for step, constant in steps:
            pixels = step(pixels, constant)
        (logits,) = session.run(None, {name: np.ascontiguousarray(pixels, np.float32)})
        ids = logits[0].argmax(axis=0).astype(np.uint8)
        return cv2.resize(ids, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST)

    return mask


def cut(model: Path) -> tuple[bytes, list[tuple[Any, np.ndarray]]]:
    """The net of a file alone, and the arithmetic with constants that the file does before it."""
    import onnx
    from onnx import numpy_helper
    from onnx.utils import extract_model

    graph = onnx.load(model).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    reads = {node.input[0]: node for node in graph.node}
    value = next(node.output[0] for node in graph.node if node.op_type == "Transpose")
    steps = []
    while (node := reads[value]).op_type in STEPS and node.input[1] in constants:
        steps.append((STEPS[node.op_type], constants[node.input[1]]))
        value = node.output[0]
    logits = next(node.input[0] for node in graph.node if node.op_type == "ArgMax")
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "net.onnx"
        extract_model(str(model), str(net), [value], [logits])
        return net.read_bytes(), steps
