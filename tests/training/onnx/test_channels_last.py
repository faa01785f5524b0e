"""What stays float between integer convolutions gives the same, channels last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

from perception.engines import open_engine
from perception.spec import ModelSpec
from tests.training.nets import pictures
from training.export import write
from training.graph import ExportError, wheel
from training.onnx.channels_last import classify_channels_last, pool_channels_last
from training.segmentation.graph import MaskGraph
from training.segmentation.net import SegNet


class Narrow(SegNet):
    """The paper's network with few channels; its unpooled windows are not filled."""

    STAGES = ((8, 2), (8, 2), (8, 3), (8, 3), (8, 3))


@pytest.mark.parametrize("is_filled", [True, False])
def test_pooling_channels_last_changes_no_value(is_filled: bool, models: Path, tmp_path: Path) -> None:
    before = models / "segnet.onnx" if is_filled else tmp_path / "narrow.onnx"
    if not is_filled:
        torch.manual_seed(0)
        labels = ("Road", "Sky", "Tree")
        spec = ModelSpec("segmentation", labels, wheel(len(labels)), (60, 80), trained_on="nothing")
        write(MaskGraph(Narrow(len(labels)), temperature=1.0).eval(), spec, before)
    model = ir.load(before)
    nodes = len(model.graph)
    pool_channels_last(model.graph)
    assert len(model.graph) != nodes
    ir.save(model, tmp_path / "model.onnx")
    frames = pictures(before, 3)
    ours = open_engine(before, device="cpu").infer(frames)
    theirs = open_engine(tmp_path / "model.onnx", device="cpu").infer(frames)
    for name in ("mask", "confidence"):
        assert np.array_equal(ours[name], theirs[name])


def test_classifying_channels_last_changes_no_more_than_the_order_of_sums(
    models: Path, tmp_path: Path
) -> None:
    model = ir.load(models / "segnet.onnx")
    classify_channels_last(model.graph)
    assert "MatMul" in [node.op_type for node in model.graph]
    ir.save(model, tmp_path / "model.onnx")
    frames = pictures(models / "segnet.onnx", 3)
    ours = open_engine(models / "segnet.onnx", device="cpu").infer(frames)
    theirs = open_engine(tmp_path / "model.onnx", device="cpu").infer(frames)
    assert np.mean(ours["mask"] == theirs["mask"]) > 0.999
    assert np.abs(ours["confidence"].astype(int) - theirs["confidence"]).max() <= 1


def test_pooling_that_is_not_ours_is_refused(models: Path) -> None:
    model = ir.load(models / "segnet.onnx")
    for node in list(model.graph):
        if node.op_type == "Equal":
            node.op_type = "Less"
    with pytest.raises(ExportError, match="export the model again"):
        pool_channels_last(model.graph)
