"""INT8 versions of freshly exported nets: the same answers, half the size, and TensorRT takes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper

import perception
from perception.engines import open_engine
from perception.spec import ModelSpec, Provenance
from tests.tensorrt import engine_size, rounds_to
from training import quantize as quantization
from training.datasets import camvid
from training.datasets.gtsrb import LABELS
from training.datasets.pictures import read_bgr
from training.export import write
from training.graph import ExportError, wheel
from training.onnx.channels_last import classify_channels_last, pool_channels_last
from training.onnx.int8 import inner_convolutions, to_int8
from training.quantize import quantize, read_pictures
from training.segmentation import compare as masks_compare
from training.segmentation.graph import MaskGraph
from training.segmentation.net import SegNet, SegNetCompact
from training.signs import compare as signs_compare
from training.signs.graph import SignGraph
from training.signs.net import SignNet

NAMES = ("signs", "segnet")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """signs.onnx and segnet.onnx with random weights; 60×80 pixels are no multiple of SegNet's stride."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    labels, size_hw = LABELS, (32, 32)
    signs = SignGraph(SignNet(len(labels)), temperature=0.1, known_offset=1.0).eval()
    metrics = {"val_accuracy": 0.5, "macs": 1.0}
    spec = ModelSpec("signs", labels, wheel(len(labels)), size_hw, metrics=metrics)
    write(signs, spec, folder / "signs.onnx")

    labels, size_hw = tuple(camvid.CLASSES), (60, 80)
    net = SegNetCompact(len(labels), width=8)
    for unpooled in net.unpool:
        torch.nn.init.uniform_(unpooled.share)
    segnet = MaskGraph(net, temperature=1.0).eval()
    learnt = Provenance(data_set="CamVid", learnt_val=True)
    spec = ModelSpec("segmentation", labels, wheel(len(labels)), size_hw, provenance=learnt)
    write(segnet, spec, folder / "segnet.onnx")
    return folder


@pytest.fixture(scope="module")
def int8(models: Path) -> Path:
    """Their INT8 versions, without a data set."""
    folder = models / "int8"
    folder.mkdir()
    for name in NAMES:
        onnx.save(
            to_int8(onnx.load(models / f"{name}.onnx"), pictures(models / f"{name}.onnx", 8)), folder / name
        )
    return folder


def pictures(model: Path, count: int) -> np.ndarray:
    """Blurred noise of the size that a model takes."""
    height, width = open_engine(model, device="cpu").spec.input_hw
    noise = np.random.default_rng(0).integers(0, 256, (count, height // 4, width // 4, 3)).astype(np.uint8)
    return np.stack([cv2.resize(small, (width, height)) for small in noise])


@pytest.mark.usefixtures("any_agreement")
def test_signs(models: Path, gtsrb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "signs.int8.onnx"
    quantize(models / "signs.onnx", gtsrb, out)
    exact, rounded = perception.load(models / "signs.onnx"), perception.load(out)
    crop = read_bgr(next(gtsrb.rglob("*.jpg")))
    assert rounded(crop).scores == pytest.approx(exact(crop).scores, abs=0.05)
    assert rounded(crop).known == pytest.approx(exact(crop).known, abs=0.05)
    assert out.stat().st_size < 0.4 * (models / "signs.onnx").stat().st_size

    assert rounded.spec.labels == exact.spec.labels
    # 3 classes of 5 tracks of 4 frames; one track of each is for validation.
    assert "minmax over 48 training pictures" in rounded.spec.source["int8"]
    assert rounded.spec.metrics["macs"] == 1.0
    assert rounded.spec.metrics["val_accuracy"] != 0.5  # that was the float model's
    printed = capsys.readouterr().out
    assert "times, 8 frame(s)" in printed
    assert "on 12 validation pictures" in printed


@pytest.mark.usefixtures("any_agreement")
def test_segmentation(models: Path, camvid: Path, tmp_path: Path) -> None:
    out = tmp_path / "segnet.int8.onnx"
    spec = quantize(models / "segnet.onnx", camvid, out)
    assert "val_miou" not in spec.metrics  # it has learnt those pictures
    assert spec.metrics["val_agreement"] > 0.8  # random weights are rarely sure
    exact, rounded = perception.load(models / "segnet.onnx"), perception.load(out)
    frame = read_bgr(camvid / "val" / "0.png")
    assert np.mean(rounded(frame).class_ids == exact(frame).class_ids) > 0.8


def test_pictures_that_training_did_not_keep_aside_count_as_learnt(gtsrb: Path) -> None:
    spec = ModelSpec("signs", LABELS, wheel(len(LABELS)), (32, 32), provenance=Provenance("before"))
    assert read_pictures(spec, gtsrb).is_unseen
    # The folder may have another name and more pictures since.
    others = Provenance("before", kept_aside="others")
    assert not read_pictures(replace(spec, provenance=others), gtsrb).is_unseen


@pytest.fixture
def any_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (signs_compare, masks_compare):
        monkeypatch.setattr(module, "QUANTIZATION", replace(module.QUANTIZATION, agreement=0.0))


@pytest.mark.parametrize("changed", ["class", "known"])
def test_a_model_that_changed_too_much_is_not_written(
    changed: str, models: Path, gtsrb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = open_engine(models / "signs.onnx", device="cpu").spec
    torch.manual_seed(0)  # the net of the fixture
    other = SignGraph(SignNet(len(spec.labels)), temperature=0.1, known_offset=1.0).eval()
    write(other, spec, tmp_path / "made.onnx")
    monkeypatch.setattr(quantization, "to_int8", lambda *_, **__: onnx.load(tmp_path / "made.onnx"))
    out = tmp_path / "out" / "int8.onnx"
    assert quantize(models / "signs.onnx", gtsrb, out).metrics["val_agreement"] == 1.0
    out.unlink()

    if changed == "class":
        other.net.head[1].bias.data[3] += 100.0
    else:
        other.known_offset = -9.0
    write(other, spec, tmp_path / "made.onnx")
    with pytest.raises(ExportError, match="was not written"):
        quantize(models / "signs.onnx", gtsrb, out)
    assert not list(out.parent.iterdir())


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
    wanted = inner_convolutions(ir.load(models / f"{name}.onnx").graph)
    assert sum(node.op_type == "QLinearConv" for node in nodes) == len(wanted) > 4
    # ReLUs are part of them, but for those behind the five shortcuts.
    assert sum(node.op_type == "Relu" for node in nodes) == (0 if name == "signs" else 5)


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
    assert joins == ["QLinearConcat"] * 12  # rows and windows of four unpoolings
    before = open_engine(int8 / "segnet", device="cpu").infer(frames)
    after = open_engine(tmp_path / "after.onnx", device="cpu").infer(frames)
    for name in ("mask", "confidence"):
        assert np.array_equal(before[name], after[name])


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


@pytest.mark.parametrize("name", NAMES)
def test_tensorrt_takes_all_for_int8_and_makes_an_engine(int8: Path, name: str) -> None:
    assert rounds_to(int8 / name) == {"INT8"}
    assert engine_size(int8 / name) > 0
