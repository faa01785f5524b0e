"""run.json says what a training was and what came of it, also after one that did not end well."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.training.fits import Trained, fit_here
from training.checkpoint import read_checkpoint
from training.run import DONE, FAILED, NAME, read_run
from training.signs.task import SignTask


def test_a_training_and_what_came_of_it(trained_signs: Trained) -> None:
    run = trained_signs.run
    content = read_checkpoint(trained_signs.checkpoint)
    assert (run.status, run.error, run.task, run.seed) == (DONE, "", "signs", 0)
    assert (run.epochs, run.steps) == (2, content["global_step"])
    assert datetime.fromisoformat(run.started).tzinfo and 0 < run.duration_s < 300
    assert run.config["data"]["init_args"]["root"] == str(trained_signs.data)
    assert run.config["model"]["class_path"] == "training.signs.task.SignTask"
    assert run.config["model"]["init_args"]["attack"] == {"radius": 0.0, "share": 1.0, "steps": 3}
    assert run.config["trainer"]["max_epochs"] == 2
    assert run.steps == 2 * run.steps_an_epoch
    assert 0 < run.step_s * run.steps < run.duration_s
    assert run.data.folder == trained_signs.data.name
    assert run.data.train > run.data.val > 0
    assert (run.data.batch_size, run.data.val_fraction, run.data.split_seed) == (16, 0.1, 0)
    assert run.data.kept_aside == content["kept_aside"]
    assert run.data.background_kept_aside == content["background_kept_aside"]
    assert {"processor", "cores", "gpu", "system", "python", "torch", "lightning"} <= run.machine.keys()
    assert run.curves and all((run.folder / name).is_file() for name in run.curves)
    assert 0.0 <= run.metrics["val_accuracy"] <= 1.0
    assert run.model is not None
    assert run.model.sha256 == hashlib.sha256(trained_signs.model.read_bytes()).hexdigest()


def test_paths_are_relative_to_the_run(trained_masks: Trained) -> None:
    content = json.loads((trained_masks.run.folder / NAME).read_text())
    del content["config"]  # as the user gave it
    assert str(trained_masks.data.parent) not in json.dumps(content)
    assert content["model"]["file"] == "checkpoints/segmentation.onnx"
    assert content["checkpoint"] == "checkpoints/last.ckpt"
    assert content["data"]["val_fraction"] is None  # the data set itself says what validates


def test_a_training_that_failed(class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the first line\nand another")

    monkeypatch.setattr(SignTask, "training_step", fail)
    with pytest.raises(ValueError, match="the first line"):
        fit_here("signs", tmp_path, f"--data.root={class_folders}", "--data.size=32")
    (file,) = tmp_path.rglob(NAME)
    run = read_run(file)
    assert (run.status, run.error) == (FAILED, "the first line")
    assert (run.model, run.checkpoint, run.steps) == (None, "", 0)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{}")
    with pytest.raises(ValueError, match="is not the run"):
        read_run(tmp_path / NAME)
