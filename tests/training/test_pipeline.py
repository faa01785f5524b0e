"""A few CPU steps, export, and the runtime gives what PyTorch gave: the whole command line of training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import perception
from tests.training.fits import ROOT, Trained, fit_here, training
from training.datasets.pictures import read_bgr
from training.evaluate import evaluate


def test_signs(trained_signs: Trained, tmp_path: Path) -> None:
    checkpoint, model = trained_signs.checkpoint, tmp_path / "signs.onnx"
    done = training("export", checkpoint, model)
    assert done.returncode == 0, done.stdout + done.stderr
    # fit has exported the same, and the weights to start from
    assert perception.load(trained_signs.model).spec.calibration == perception.load(model).spec.calibration
    assert trained_signs.weights.is_file()

    classify = perception.load(model)
    content = torch.load(checkpoint, weights_only=True)
    assert classify.spec.labels[14] == "Stop"
    assert classify.spec.input_hw == (32, 32)
    assert 0.0 < classify.spec.calibration["temperature"] <= 3.0
    assert content["kept_aside"] and classify.spec.provenance.kept_aside == content["kept_aside"]
    assert classify.spec.provenance.background_kept_aside and not classify.spec.provenance.learnt_val
    crop = read_bgr(next(trained_signs.data.rglob("*.jpg")))
    assert classify(crop).scores.sum() == pytest.approx(1.0, abs=1e-5)
    # What is exported is the running average of the weights, not the last ones.
    name = "features.0.weight"
    average, last = content["state_dict"][f"net.{name}"], content["current_model_state"][f"net.{name}"]
    exported = load_file(model.with_suffix(".safetensors"))[name].float()
    torch.testing.assert_close(exported, average, rtol=1e-3, atol=1e-6)
    assert (average - last).abs().max() > 1e-4

    done = training("evaluate", model, trained_signs.data, "--out", tmp_path / "evaluation")
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    # What export measured with PyTorch is what the runtime measures on the same pictures.
    assert figures["accuracy"] == pytest.approx(classify.spec.metrics["val_accuracy"])
    assert "Confusion" in (tmp_path / "evaluation" / "report.html").read_text()


def test_segmentation(trained_masks: Trained, tmp_path: Path) -> None:
    segment = perception.load(trained_masks.model)
    assert segment.spec.calibration["temperature"] != 1.0
    frame = read_bgr(trained_masks.data / "val" / "0.png")
    road = segment(frame)
    assert road.class_ids.shape == frame.shape[:2]
    assert sum(road.fractions().values()) == pytest.approx(1.0)

    evaluate(trained_masks.model, trained_masks.data, out=tmp_path / "evaluation")
    figures = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    assert figures["miou"] == pytest.approx(segment.spec.metrics["val_miou"], abs=0.01)


def test_own_signs_start_from_a_trained_net(
    trained_signs: Trained, class_folders: Path, tmp_path: Path
) -> None:
    (run,) = fit_here(
        "finetune_signs",
        tmp_path,
        f"--data.root={class_folders}",
        f"--model.start={trained_signs.weights}",
        "--seed_everything=5",  # without a start, other weights altogether
    )
    assert perception.load(run.model_path).spec.labels == ("blue", "green", "red")
    paths = (trained_signs.checkpoint, run.folder / run.checkpoint)
    begin, end = (torch.load(path, weights_only=True)["state_dict"] for path in paths)
    name = "net.features.0.weight"
    similarity = torch.cosine_similarity(begin[name].flatten(), end[name].flatten(), dim=0)
    assert similarity > 0.9


def test_a_trained_net_learns_against_noise(trained_signs: Trained, tmp_path: Path) -> None:
    """What it starts from is measured first, by attacks as well."""
    options = (f"--data.root={trained_signs.data}", "--data.size=32", "--data.batch_size=16")
    start = (
        f"--model.start={trained_signs.weights}",
        "--model.width=1",
        "--trainer.check_val_every_n_epoch=1",
    )
    (run,) = fit_here("signs_robust", tmp_path, *options, *start, "--trainer.max_epochs=1")
    assert {"val_accuracy", "val_robust_accuracy"} <= run.before.keys() & run.metrics.keys()


def test_one_picture_to_validate_with_is_enough(class_folders: Path, tmp_path: Path) -> None:
    shutil.rmtree(class_folders / "green")
    for number in range(1, 20):
        (class_folders / "blue" / f"{number}.png").unlink()
    for number in range(5, 20):
        (class_folders / "red" / f"{number}.png").unlink()
    (run,) = fit_here("finetune_signs", tmp_path / "runs", f"--data.root={class_folders}")
    assert perception.load(run.model_path).spec.labels == ("blue", "red")


def test_own_streets_start_from_the_shipped_net(camvid: Path, tmp_path: Path) -> None:
    for path in camvid.glob("*annot/*.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path), np.select([ids == 0, ids == 3], [0, 1], 255).astype(np.uint8))
    classes = [{"name": "Above", "color": [0, 0, 255]}, {"name": "Track", "color": [90, 90, 90]}]
    (camvid / "classes.json").write_text(json.dumps(classes))
    options = [f"--data.root={camvid}", "--data.size_hw=[60, 80]", "--data.crop_hw=[56, 72]"]
    start = ROOT / "models" / "segnet.safetensors"
    (run,) = fit_here("segnet", tmp_path / "runs", *options, f"--model.start={start}")
    assert perception.load(run.model_path).spec.labels == ("Above", "Track")
    begin, end = load_file(start), load_file(run.model_path.with_suffix(".safetensors"))
    name = "decoder.2.0.weight"  # the last layer but one
    similarity = torch.cosine_similarity(begin[name].flatten(), end[name].flatten(), dim=0)
    assert similarity > 0.9
