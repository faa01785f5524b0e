"""Trials on Ray give what trials in processes give, and one that is killed is named."""

from __future__ import annotations

import os
import signal
import threading
import time
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
from training.datasets.images import DataError
from training.sweep import ray_workers, sweep
from training.sweep.trial import ERROR

PATIENCE_S = 300.0
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


def test_a_killed_trial_is_named_and_the_others_are_done(class_folders: Path, tmp_path: Path) -> None:
    file = written(tmp_path, epochs=30, search=LONG.replace("search:", "prune: false\nsearch:"))
    out = tmp_path / "out"
    killer = threading.Thread(target=kill_training, args=(out / "trials" / "0000",))
    killer.start()
    found = sweep(file, [f"--data.root={class_folders}"], out=out, ray=True)
    killer.join()
    assert numbers(found, "failed") == [0] and numbers(found, "complete") == [1]
    assert "its process ended, perhaps because memory was out" in found.trials[0].error


def test_it_ends_when_another_machine_has_done_the_trials(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = ray_workers.cluster.share

    def slow(*arguments: Any, **options: Any) -> Any:
        """The cluster takes a moment to answer, and meanwhile another sweep does all trials."""
        study = optuna.load_study(study_name=None, storage=f"sqlite:///{tmp_path}/out/study.db")
        for _ in range(2):
            failed = optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={ERROR: "no more memory"})
            study.add_trial(failed)
        return share(*arguments, **options)

    monkeypatch.setattr(ray_workers.cluster, "share", slow)
    with pytest.raises(DataError, match="the last said: no more memory"):
        sweep(
            written(tmp_path, search=LONG), [f"--data.root={class_folders}"], out=tmp_path / "out", ray=True
        )


def kill_training(trial: Path) -> None:
    """Kill a trial as a machine does when memory is out, as soon as it trains."""
    end = time.monotonic() + PATIENCE_S
    while not any(trial.rglob("events.*")):
        if time.monotonic() > end:
            return
        time.sleep(0.02)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may have ended
            pid = int(path.parent.name)
            if path.read_bytes().startswith(b"ray::train") and os.getpid() in ancestors(pid):
                os.kill(pid, signal.SIGKILL)


def ancestors(pid: int) -> list[int]:
    """The processes that a process comes from: other tests have trainings of their own."""
    found: list[int] = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def test_an_address_is_for_ray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(written(tmp_path)), "--address", "head:6379"]) == 1
    assert "--address is for a cluster of Ray; give --ray" in capsys.readouterr().err
