"""Trials on Ray give what trials in processes give, and one that is killed is named."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tests.training.fits import ROOT
from tests.training.sweep.test_sweep import PLAN, numbers, written
from training import fit
from training.__main__ import main
from training.sweep import sweep
from training.sweep.results import Sweep, read_sweep

LONG = PLAN.replace("trials: 3", "trials: 2").replace("[0.2, 1.5]", "[0.2, 0.3]")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, ray: object) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(fit, "fail_at_the_end", lambda: None)  # of this process's memory


def test_trials_on_ray_are_those_of_processes(class_folders: Path, tmp_path: Path) -> None:
    file, data = written(tmp_path), f"--data.root={class_folders}"
    one = sweep(file, [data], out=tmp_path / "one")
    many = sweep(file, [data], out=tmp_path / "many", workers=2, ray=True)
    for alone, trial in zip(one.trials, many.trials, strict=True):
        assert (trial.state, trial.settings, trial.error) == (alone.state, alone.settings, alone.error)
        assert trial.value == pytest.approx(alone.value) and trial.epochs == alone.epochs
    assert numbers(many, "complete") and numbers(many, "failed")
    assert {"best.yaml", "report.html", "study.db"} <= {path.name for path in (tmp_path / "many").iterdir()}
    assert any("Seed set to 0" in path.read_text() for path in (tmp_path / "many").glob("worker-*.log"))


def test_a_killed_trial_is_named_and_the_others_are_done(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, epochs=30, search=LONG.replace("search:", "prune: false\nsearch:"))

    def meddle(study: optuna.Study, *arguments: Any, **others: Any) -> Sweep:
        """Kill the first training as a machine does when memory is out."""
        first = study.get_trials(deepcopy=False)[:1]
        if first and first[0].state == TrialState.RUNNING and first[0].intermediate_values:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it may have ended
                    if path.read_bytes().startswith(b"ray::train"):
                        os.kill(int(path.parent.name), signal.SIGKILL)
        return read_sweep(study, *arguments, **others)

    monkeypatch.setattr("training.sweep.read_sweep", meddle)
    found = sweep(file, [f"--data.root={class_folders}"], out=tmp_path / "out", ray=True)
    assert numbers(found, "failed") == [0] and numbers(found, "complete") == [1]
    assert "its process ended, perhaps because memory was out" in found.trials[0].error


def test_an_address_is_for_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(written(tmp_path)), "--address", "head:6379"]) == 1
    assert "--address is for a cluster of Ray; give --ray" in capsys.readouterr().err
