"""INT8 versions of exported nets: the same answers, half the size, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import perception
from perception.engines import open_engine
from perception.spec import ModelSpec, Provenance
from tests.training.nets import write_models
from training import quantize as quantization
from training.datasets.gtsrb import LABELS
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr
from training.export import write
from training.graph import ExportError, wheel
from training.quantize import quantize, read_pictures
from training.segmentation import compare as masks_compare
from training.signs import compare as signs_compare
from training.signs.graph import SignGraph
from training.signs.net import SignNet


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """signs.onnx and segnet.onnx with random weights."""
    return write_models(tmp_path_factory.mktemp("models"))


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
    with pytest.raises(DataError, match=r"signs\.int8\.onnx is in INT8 already"):
        quantize(out, gtsrb, tmp_path / "again.onnx")


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
