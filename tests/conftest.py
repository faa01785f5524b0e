"""Small real models: they see colours instead of signs and roads, so a test knows what they must answer."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Before torch is imported, here and in the processes of tests: tests run side by side, and more threads than
# cores wait for each other, which takes twice as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from perception.spec import METADATA_KEY, ModelSpec

# A shell's background job ignores SIGINT, and so would the children of tests that run as one.
signal.signal(signal.SIGINT, signal.default_int_handler)

COLORS = ("Blue", "Green", "Red")  # in the order of a BGR pixel
PALETTE = ((0, 0, 255), (0, 255, 0), (255, 0, 0))

SIGNS = ModelSpec("signs", COLORS, PALETTE, (16, 16), thresholds={"known": 0.5}, trained_on="colours")
DETECTION = ModelSpec(
    "sign_detection", ("sign",), PALETTE[:1], (64, 96), thresholds={"found": 0.3}, stride=16, enlarge_to=9000
)
SEGMENTATION = ModelSpec("segmentation", COLORS, PALETTE, (24, 32), trained_on="colours")

ModelWriter = Callable[..., Path]


def solid(color: str, height: int = 40, width: int = 60) -> np.ndarray:
    """A frame of one colour, or grey for any other word."""
    bgr = [255 if name == color else 0 for name in COLORS] if color in COLORS else [128, 128, 128]
    return np.full((height, width, 3), bgr, np.uint8)


def write_model(
    path: Path,
    spec: ModelSpec,
    *,
    metadata: dict[str, str] | None = None,
    batch: int | str = "N",
    width: int = 3,
) -> Path:
    """Write a model that answers with the strongest colour.

    Args:
        metadata: instead of the spec.
        batch: first axis of the input, a number to fix it.
        width: how many classes the graph really knows; above 3, the rest is never seen.
    """
    nodes, outputs, constants = _NODES[spec.task](spec, width)
    size = ["H", "W"] if spec.stride else spec.input_hw
    frames = helper.make_tensor_value_info("frames", TensorProto.UINT8, [batch, *size, 3])
    to_float = helper.make_node("Cast", ["frames"], ["pixels"], to=TensorProto.FLOAT)
    graph = helper.make_graph([to_float, *nodes], "colors", [frames], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entries = {METADATA_KEY: spec.to_json()} if metadata is None else metadata
    helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def _sign_nodes(spec: ModelSpec, width: int) -> tuple[list[Any], list[Any], list[Any]]:
    node = helper.make_node
    constants = [
        numpy_helper.from_array(np.eye(3, width, dtype=np.float32) / 25, "gain"),
        numpy_helper.from_array(np.float32(255), "full"),
    ]
    nodes = [
        node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        node("MatMul", ["mean", "gain"], ["logits"]),
        node("Softmax", ["logits"], ["scores"], axis=1),
        node("ReduceMax", ["mean"], ["strongest"], axes=[1], keepdims=0),
        node("ReduceMin", ["mean"], ["weakest"], axes=[1], keepdims=0),
        node("Sub", ["strongest", "weakest"], ["colorful"]),
        node("Div", ["colorful", "full"], ["known"]),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", width]),
        helper.make_tensor_value_info("known", TensorProto.FLOAT, ["N"]),
    ]
    return nodes, outputs, constants


def _segmentation_nodes(spec: ModelSpec, width: int) -> tuple[list[Any], list[Any], list[Any]]:
    node = helper.make_node
    nodes = [
        node("ArgMax", ["pixels"], ["strongest"], axis=3, keepdims=0),
        node("Cast", ["strongest"], ["mask"], to=TensorProto.UINT8),
        node("ReduceMax", ["pixels"], ["sure"], axes=[3], keepdims=0),
        node("Cast", ["sure"], ["confidence"], to=TensorProto.UINT8),
    ]
    names = ("mask", "confidence")
    outputs = [helper.make_tensor_value_info(n, TensorProto.UINT8, ["N", *spec.input_hw]) for n in names]
    return nodes, outputs, []


def _detection_nodes(spec: ModelSpec, width: int) -> tuple[list[Any], list[Any], list[Any]]:
    """One box around all pixels of each colour, in the order of purity; 0 where a colour is not there."""
    node = helper.make_node
    nodes = [
        node("ReduceSum", ["pixels", "colors"], ["all"], keepdims=1),
        node("Mul", ["pixels", "two"], ["twice"]),
        node("Sub", ["twice", "all"], ["unclipped"]),
        node("Relu", ["unclipped"], ["pure"]),  # 255 for a full colour, 0 for grey
        node("Greater", ["pure", "least"], ["is_pure"]),
        node("Cast", ["is_pure"], ["there"], to=TensorProto.FLOAT),
    ]
    for side, across, along in (("x", 1, 2), ("y", 2, 1)):
        nodes.append(node("ReduceMax", ["there"], [f"in_{side}"], axes=[across], keepdims=1))
        for name, is_last in ((f"{side}1", 0), (f"{side}2", 1)):
            nodes += [
                node("ArgMax", [f"in_{side}"], [f"{name}_index"], axis=along, select_last_index=is_last),
                node("Cast", [f"{name}_index"], [f"{name}_low"], to=TensorProto.FLOAT),
                node("Add", [f"{name}_low", "one"], [f"{name}_high"]),
                node("Reshape", [f"{name}_{'high' if is_last else 'low'}", "column"], [name]),
            ]
    sides = ["x1", "y1", "x2", "y2"]
    nodes += [
        node("Concat", sides, ["any_boxes"], axis=1),
        node("ReduceMax", ["pure"], ["purest"], axes=[0, 1, 2], keepdims=0),
        node("Div", ["purest", "full"], ["any_scores"]),
        node("TopK", ["any_scores", "three"], ["scores", "order"]),
        node("Gather", ["any_boxes", "order"], ["boxes"]),
    ]
    values = {"two": 2.0, "least": 100.0, "one": 1.0, "full": 255.0}
    constants = [numpy_helper.from_array(np.float32(value), name) for name, value in values.items()]
    indices = {"colors": [3], "column": [3, 1], "three": [3]}
    constants += [numpy_helper.from_array(np.array(value), name) for name, value in indices.items()]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["M", 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["M"]),
    ]
    return nodes, outputs, constants


_NODES = {"signs": _sign_nodes, "segmentation": _segmentation_nodes, "sign_detection": _detection_nodes}


@pytest.fixture(scope="session")
def signs_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sign model of three colours; grey is not a known sign."""
    return write_model(tmp_path_factory.mktemp("models") / "signs.onnx", SIGNS)


@pytest.fixture(scope="session")
def detector_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of the same colours, for frames of any size."""
    return write_model(tmp_path_factory.mktemp("models") / "sign_detector.onnx", DETECTION, batch=1)


@pytest.fixture(scope="session")
def segmentation_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmentation model of three colours."""
    return write_model(tmp_path_factory.mktemp("models") / "segnet.onnx", SEGMENTATION)


@pytest.fixture(scope="session")
def ray() -> Iterator[Any]:
    """Ray on two cores of this machine, once for all tests."""
    if find_spec("ray") is None:
        pytest.skip("the extra fleet is not installed")
    from perception.fleet import cluster

    with cluster.started(None, cpus=2) as module:
        yield module


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own with no room left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        with contextlib.suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def model_with_spec(tmp_path: Path) -> ModelWriter:
    """Writes a sign model whose spec has some entries replaced, or deleted where the value is None."""

    def write(**entries: Any) -> Path:
        raw = json.loads(SIGNS.to_json()) | entries
        text = json.dumps({key: value for key, value in raw.items() if value is not None})
        return write_model(tmp_path / "edited.onnx", SIGNS, metadata={METADATA_KEY: text})

    return write
