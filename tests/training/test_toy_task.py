"""A task that only this test knows gets everything that training has, without a changed line of it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import perception
from perception import tasks as runtime
from perception.errors import WrongTaskError
from tests import toy_runtime, toy_training
from training import export as training_export
from training import fit as training_fit
from training import tasks
from training.check import check, require_sound
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError
from training.evaluate import evaluate
from training.export import export
from training.graph import ExportError
from training.quantize import quantize
from training.run import DONE


@pytest.fixture(autouse=True)
def in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtime.TASKS, toy_runtime.NAME, toy_runtime.TASK)
    monkeypatch.setitem(tasks.TASKS, toy_runtime.NAME, toy_training.TASK)


@pytest.fixture(scope="module")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey pictures to learn from, four to validate with."""
    root = tmp_path_factory.mktemp("lamps")
    for part, count in (("train", 12), ("val", 4)):
        (root / part).mkdir()
        for number in range(count):
            picture = np.full((10, 12, 3), 20 * number + 7, np.uint8)
            cv2.imwrite(str(root / part / f"{number}.png"), picture)
    return root


@pytest.fixture
def checkpoint(lamps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``fit`` leaves of it."""
    config = tmp_path / "brightness.yaml"
    config.write_text(
        "model: tests.toy_training.BrightnessTask\n"
        f"data:\n  class_path: tests.toy_training.BrightnessData\n  init_args: {{root: {lamps}}}\n"
    )
    arguments = [f"--config={config}", "--trainer.max_epochs=30", "--trainer.accelerator=cpu"]
    arguments += [f"--trainer.default_root_dir={tmp_path / 'runs'}", "--trainer.enable_progress_bar=false"]
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)  # of this process's memory
    (run,) = training_fit.fit(arguments)
    assert (run.status, run.task, run.data.data_set) == (DONE, toy_runtime.NAME, "Lamps")
    return run.folder / run.checkpoint


def test_it_is_trained_exported_and_measured(checkpoint: Path, lamps: Path, tmp_path: Path) -> None:
    exported = checkpoint.with_name("brightness.onnx")
    with perception.load(exported) as measure:
        assert isinstance(measure, toy_runtime.Photometer)
        assert measure(np.full((20, 30, 3), 51, np.uint8)).level == pytest.approx(0.2, abs=0.02)
        spec = measure.spec
    assert spec.provenance.data_set == "Lamps" and spec.provenance.kept_aside
    assert spec.metrics["parameters"] == 1.0 and json.loads(spec.source["config"])["lr"] == 0.5
    assert exported.with_suffix(".safetensors").is_file()

    assert evaluate(exported, lamps, out=tmp_path / "out").figures["error"] < 0.05
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["model"] == "brightness.onnx"
    assert "Figures" in (tmp_path / "out" / "report.html").read_text()
    with pytest.raises(DataError, match="--background"):
        evaluate(exported, lamps, out=tmp_path / "out", background=lamps)


def test_a_file_that_disagrees_with_pytorch_is_not_written(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = training_export.write

    def write_another(graph: torch.nn.Module, *arguments: object) -> None:
        graph.net.gain.data += 0.5
        write(graph, *arguments)
        graph.net.gain.data -= 0.5

    monkeypatch.setattr(training_export, "write", write_another)
    with pytest.raises(ExportError, match="agree on"):
        export(checkpoint, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("model.*"))


def test_what_its_line_leaves_empty_is_said(checkpoint: Path, lamps: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongTaskError, match=r"'quantize'.*'brightness'"):
        quantize(checkpoint.with_name("brightness.onnx"), lamps, tmp_path / "int8.onnx")
    require_sound(toy_training.BrightnessData(str(lamps)))  # nothing checks it, so nothing is wrong
    assert check(lamps)  # for signs, whose folders may have any name
    assert read_checkpoint(checkpoint)["task"] == toy_runtime.NAME


def test_every_reference_of_the_table_leads_somewhere() -> None:
    for name, task in tasks.TASKS.items():
        for column in vars(task):
            if getattr(task, column):
                assert tasks.column(name, column) is not None, (name, column)
        assert name == tasks.column(name, "module").TASK
        assert name in runtime.TASKS
