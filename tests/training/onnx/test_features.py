"""The deepest features of an exported net."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from perception.errors import ModelError
from tests.training.nets import pictures
from training.onnx.features import Features


def test_features_are_those_of_the_deepest_layer(models: Path) -> None:
    features = Features(models / "segnet.onnx")
    frames = pictures(models / "segnet.onnx", 3)
    found = features(frames)
    assert found.shape == (3, 24)  # the widest layer, at 1/16
    assert np.allclose(features(frames[1:2])[0], found[1], atol=1e-5)
    assert not np.allclose(found[0], found[1])


def test_a_file_without_such_a_layer_is_refused(segmentation_model: Path) -> None:
    with pytest.raises(ModelError, match="no layer in it has channels, height and width"):
        Features(segmentation_model)


def test_sums_of_whole_numbers_are_no_features(tmp_path: Path) -> None:
    """Unpooling adds positions up, as deep in the net as its features are."""
    nodes = [
        helper.make_node("Cast", ["frames"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Relu", ["planes"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["positions"], to=TensorProto.INT32),
        helper.make_node("Add", ["positions", "positions"], ["sums"]),
    ]
    frames = helper.make_tensor_value_info("frames", TensorProto.UINT8, [1, 4, 6, 3])
    sums = helper.make_tensor_value_info("doubled", TensorProto.INT32, [1, 3, 4, 6])
    last = helper.make_node("Identity", ["sums"], ["doubled"])
    graph = helper.make_graph([*nodes, last], "g", [frames], [sums])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "m.onnx")
    assert Features(tmp_path / "m.onnx")(np.full((1, 4, 6, 3), 7, np.uint8)).tolist() == [[7.0, 7.0, 7.0]]
