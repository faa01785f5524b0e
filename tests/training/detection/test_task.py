"""A short training finds signs; it can be resumed, and its file says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import perception
from perception.engines import open_engine
from tests.tensorrt import engine_size
from tests.training.detection import streets
from tests.training.detection.conftest import OPTIONS
from tests.training.fits import Trained, fit_here
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError
from training.detection import task
from training.detection.measure import Ranking
from training.evaluate import evaluate
from training.quantize import quantize


def test_it_finds_signs_that_it_never_saw(trained_boxes: Trained) -> None:
    rng = np.random.default_rng(99)
    with perception.load(trained_boxes.model) as find:
        frames = [streets.street(rng) for _ in range(10)]
        given = [(find(picture), signs) for picture, signs in frames]
        ranking = Ranking.of((boxes.xyxy, boxes.scores, np.array(signs)) for boxes, signs in given)
        assert ranking.signs == 20 and ranking.recall[-1] > 0.9
        assert ranking.average_precision > 0.8
        spec = find.spec
    assert (spec.task, spec.labels, spec.input_hw) == ("sign_detection", ("sign",), (160, 192))
    assert (spec.stride, spec.enlarge_to) == (16, 160 * 192)
    assert spec.provenance.data_set == "GTSDB" and not spec.provenance.learnt_val
    assert "32 pictures, split by picture" in spec.trained_on
    assert spec.metrics["val_ap50"] > 0.8 and 200_000 < spec.metrics["parameters"] < 300_000


@pytest.mark.parametrize("size_hw", [(32, 32), (96, 336), (224, 160)])
def test_frames_of_any_size_go_through_one_file(trained_boxes: Trained, size_hw: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (1, *size_hw, 3)).astype(np.uint8)
    outputs = open_engine(trained_boxes.model, device="cpu").infer(frame)
    assert outputs["boxes"].shape == (100, 4) and outputs["scores"].shape == (100,)
    assert np.isfinite(outputs["boxes"]).all()
    assert (np.diff(outputs["scores"]) <= 0).all()  # best first


def test_tensorrt_builds_it(trained_boxes: Trained) -> None:
    assert engine_size(trained_boxes.model) > 100_000


def test_what_it_has_learnt_from_is_said(
    trained_boxes: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "evaluation"
    evaluation = evaluate(trained_boxes.model, trained_boxes.data, out=out)
    assert evaluation.figures["ap50"] > 0.8 and evaluation.remarks == ()
    evaluate(trained_boxes.model, trained_boxes.data, out=out, split="all")
    assert "has learnt from most of these pictures" in capsys.readouterr().out
    (trained_boxes.data / "00041.png").write_bytes((trained_boxes.data / "00000.png").read_bytes())
    try:
        start = [f"--data.root={trained_boxes.data}", f"--model.start={trained_boxes.weights}"]
        fit_here("sign_detector", tmp_path, *start, "--data.steps=1", "--data.val_fraction=0.5", *OPTIONS)
    finally:
        (trained_boxes.data / "00041.png").unlink()
    assert "have learnt from pictures that validate here" in capsys.readouterr().out


def test_a_resumed_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mined places and the numbers of the crops go on as well."""
    monkeypatch.setattr(task, "SURE", 0.001)  # a net of two steps is sure of nothing
    data = streets.gtsdb(tmp_path / "streets", 10)
    options = [f"--data.root={data}", "--data.steps=2", *OPTIONS, "--trainer.max_epochs=3"]
    options += ["--model.mine_at=[0.3]", "--trainer.check_val_every_n_epoch=3"]
    (whole,) = fit_here("sign_detector", tmp_path / "whole", *options)
    stop = tmp_path / "stopped" / "lightning_logs" / "version_0" / "checkpoints" / "last.ckpt"
    with pytest.MonkeyPatch.context() as patch:

        def leave(self: task.DetectionTask) -> None:
            if self.current_epoch == 2:
                raise KeyboardInterrupt

        patch.setattr(task.DetectionTask, "on_train_epoch_start", leave)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit_here("sign_detector", tmp_path / "stopped", *options)
    (resumed,) = fit_here("sign_detector", tmp_path / "resumed", *options, f"--ckpt_path={stop}")
    ours = read_checkpoint(resumed.folder / resumed.checkpoint)
    theirs = read_checkpoint(whole.folder / whole.checkpoint)
    for name, wanted in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], wanted), name
    assert len(theirs["BoxData"]["mined"]) > 0


def test_an_int8_file_finds_the_same(trained_boxes: Trained, tmp_path: Path) -> None:
    spec = quantize(trained_boxes.model, trained_boxes.data, tmp_path / "int8.onnx")
    assert spec.metrics["val_ap50"] > 0.75 and spec.metrics["val_agreement"] >= 0.9
    with perception.load(tmp_path / "int8.onnx") as find:
        picture, signs = streets.street(np.random.default_rng(98))
        assert len(find(picture)) >= len(signs)


@pytest.mark.parametrize(
    ("option", "clue"),
    [
        ("--data.crop=100", "multiple of 16"),
        ("--data.scale=[2, 1]", "smaller number first"),
        ("--data.val_fraction=1.5", "share between 0 and 1"),
        ("--data.signs=nowhere", "no folder nowhere"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(option: str, clue: str, tmp_path: Path) -> None:
    data = streets.gtsdb(tmp_path / "streets", 10)
    with pytest.raises(DataError, match=clue):
        fit_here("sign_detector", tmp_path / "runs", f"--data.root={data}", *OPTIONS, option)
