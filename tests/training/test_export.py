"""A model file is written only if it says what PyTorch says, and it says what it has learnt from."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

import perception
from tests.training.fits import ROOT, Trained
from training import export as training_export
from training.datasets.images import DataError
from training.evaluate import evaluate
from training.graph import ExportError


def changed(trained: Trained, path: Path, **data: object) -> Path:
    """The checkpoint as if the data had had other parameters."""
    content = torch.load(trained.checkpoint, weights_only=True)
    content["datamodule_hyper_parameters"] |= data
    torch.save(content, path)
    return path


def test_a_net_that_has_learnt_from_the_validation_part_is_not_calibrated_by_it(
    trained_masks: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, model = changed(trained_masks, tmp_path / "last.ckpt", train_on_val=True), tmp_path / "l.onnx"
    training_export.export(checkpoint, model)
    assert "--calibration" in capsys.readouterr().out
    spec = perception.load(model).spec
    assert spec.calibration["temperature"] == 1.0 and "val_miou" not in spec.metrics
    assert spec.provenance.learnt_val and "20 pictures" in spec.trained_on
    evaluate(model, trained_masks.data, out=tmp_path / "evaluation")
    assert "has learnt from these very pictures" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"signs\.onnx is for other classes"):
        training_export.export(
            trained_masks.checkpoint, tmp_path / "odd.onnx", calibration=ROOT / "models" / "signs.onnx"
        )


def test_a_net_that_diverged_is_not_written(trained_masks: Trained, tmp_path: Path) -> None:
    content = torch.load(trained_masks.checkpoint, weights_only=True)
    content["state_dict"]["net.classify.weight"].fill_(float("nan"))
    torch.save(content, tmp_path / "diverged.ckpt")
    with pytest.raises(ExportError, match="diverged"):
        training_export.export(tmp_path / "diverged.ckpt", tmp_path / "diverged.onnx")
    assert not (tmp_path / "diverged.onnx").exists()


def test_a_graph_that_disagrees_with_pytorch_is_not_written(
    trained_masks: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = changed(trained_masks, tmp_path / "small.ckpt", size_hw=(60, 80))
    write = training_export.write
    for change in ("class", "confidence"):

        def write_something_else(graph: torch.nn.Module, *arguments: object, change: str = change) -> None:
            other = copy.deepcopy(graph)
            if change == "class":
                other.net.classify.bias.data[3] += 100.0
            else:
                other.temperature *= 5.0
            write(other, *arguments)

        monkeypatch.setattr(training_export, "write", write_something_else)
        with pytest.raises(ExportError, match="agree on"):
            training_export.export(checkpoint, tmp_path / "model.onnx")
        assert not list(tmp_path.glob("model.*"))
    # Four small pictures are not enough.
    assert "needed to calibrate the confidence" in capsys.readouterr().out


def test_background_is_for_signs(trained_masks: Trained, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--background is"):
        training_export.export(trained_masks.checkpoint, tmp_path / "model.onnx", background=tmp_path)


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a training of hours does not end without a model."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert training_export.commit() == "unknown"
