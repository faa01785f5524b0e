"""INT8 versions of freshly exported nets: integer convolutions, and TensorRT takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from perception.engines import open_engine
from tests.tensorrt import engine_size, rounds_to
from tests.training.nets import NAMES, pictures
from training.onnx.channels_last import pool_channels_last
from training.onnx.int8 import inner_convolutions, to_int8


@pytest.mark.parametrize("name", NAMES)
def test_all_is_symmetric_and_unsigned_where_nothing_is_negative(int8: Path, name: str) -> None:
    graph = onnx.load(int8 / name).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    rounding = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    unsigned = [node for node in rounding if constants[node.input[2]].dtype == np.uint8]
    assert unsigned and {made_by[node.input[0]] for node in unsigned} == {"Relu"}
    for node in [*rounding, *(node for node in graph.node if node.op_type == "DequantizeLinear")]:
        zero_point = constants[node.input[2]]
        assert zero_point.dtype in (np.int8, np.uint8) and not zero_point.any()


@pytest.mark.parametrize("name", NAMES)
def test_onnx_runtime_makes_integer_convolutions_of_all_but_first_and_last(
    models: Path, int8: Path, name: str, tmp_path: Path
) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine only
    ort.InferenceSession(int8 / name, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(tmp_path / "optimized.onnx").graph.node
    model = ir.load(models / f"{name}.onnx")
    pool_channels_last(model.graph)
    RemoveUnusedNodesPass()(model)
    wanted = inner_convolutions(model.graph)
    assert sum(node.op_type == "QLinearConv" for node in nodes) == len(wanted) > 4
    # ReLUs are part of them, but for those behind the four shortcuts.
    assert sum(node.op_type == "Relu" for node in nodes) == (0 if name == "signs" else 4)


def test_values_are_rounded_before_they_are_joined_and_not_otherwise(
    models: Path, int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.onnx.int8.quantize_before_moving", lambda graph: None)
    frames = pictures(models / "segnet.onnx", 8)
    onnx.save(to_int8(onnx.load(models / "segnet.onnx"), frames), tmp_path / "after.onnx")
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(int8 / "segnet", options, providers=["CPUExecutionProvider"])
    joins = [
        node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node if "Concat" in node.op_type
    ]
    assert joins == ["QLinearConcat"] * 9  # rows and windows of three unpoolings
    before = open_engine(int8 / "segnet", device="cpu").infer(frames)
    after = open_engine(tmp_path / "after.onnx", device="cpu").infer(frames)
    for name in ("mask", "confidence"):
        assert np.array_equal(before[name], after[name])


@pytest.mark.parametrize("name", NAMES)
def test_tensorrt_takes_all_for_int8_and_makes_an_engine(int8: Path, name: str) -> None:
    assert rounds_to(int8 / name) == {"INT8"}
    assert engine_size(int8 / name) > 0
