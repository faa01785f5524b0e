"""A task that only this test knows gets everything that the runtime has, without a changed line of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import perception
from perception import tasks
from perception.commands.cli import main
from perception.recordings.bag import BagReader
from tests import toy_runtime
from tests.bags import RAW, raw, write_bag
from tests.conftest import solid


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file of the toy task, which is in the table for as long as the test runs."""
    monkeypatch.setitem(tasks.TASKS, toy_runtime.NAME, toy_runtime.TASK)
    return toy_runtime.write_toy_model(tmp_path / "brightness.onnx")


def test_it_is_loaded_and_says_what_it_is(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with perception.load(toy) as measure:
        assert isinstance(measure, toy_runtime.Photometer)
        assert measure(np.full((20, 30, 3), 51, np.uint8)).level == pytest.approx(0.2)
    assert main(["info", str(toy)]) == 0
    assert "brightness" in capsys.readouterr().out


def test_it_is_timed(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(toy), "--frames", "2", "--json", str(tmp_path / "bench.json")]) == 0
    (timing,) = json.loads((tmp_path / "bench.json").read_text())
    assert timing["task"] == "brightness" and "infer" in timing["stages_ms"]
    assert "brightness.onnx on cpu" in capsys.readouterr().out


def test_it_runs_over_a_bag_beside_others_and_is_reported(
    toy: Path, tmp_path: Path, signs_model: Path
) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), stamp)) for stamp in range(3)])
    out = tmp_path / "out"
    models = ["--brightness", toy, "--signs", signs_model, "--boxes", "frame", "--segmentation", "none"]
    assert main([str(argument) for argument in ("run", bag, "--out", out, *models)]) == 0
    with BagReader(out / "results") as results:
        levels = [message.data for _, _, message in results.messages(["/brightness/level"])]
        assert results.topics["/signs/detections"] and results.topics["/brightness/label_info"]
    assert levels == pytest.approx([1 / 3] * 3)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Brightness" in page and "brightness infer" in page and "Signs over time" in page


def test_every_reference_of_the_table_leads_somewhere() -> None:
    for name, task in tasks.TASKS.items():
        for reference in filter(None, (task.runner, task.reader, task.follower, task.topics, task.node)):
            pytest.importorskip("rclpy")
            assert tasks.resolve(reference), name
        assert tasks.resolve(task.runner).task == name
        if task.node:
            assert tasks.resolve(task.node).task == name
        if task.finder:
            assert tasks.TASKS[task.finder].runner
