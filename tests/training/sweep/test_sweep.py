"""A sweep trains, records what fails, can be stopped, goes on, and writes a config that fit takes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.training.fits import ROOT
from training import fit
from training.datasets.images import DataError
from training.run import INTERRUPTED, NAME, read_run
from training.sweep import require_options, sweep, workers
from training.sweep.plan import read_plan
from training.sweep.results import Sweep
from training.sweep.study import WORKER

PLAN = """
config: training/configs/signs.yaml
metric: val_accuracy
sampler: random
trials: 3
options: {data.size: 32, model.width: 0.25, trainer.max_epochs: EPOCHS, trainer.precision: 32-true,
  trainer.accelerator: cpu, trainer.enable_model_summary: false}
search:
  model.lr: {low: 0.001, high: 0.01, log: true}
  data.val_fraction: [0.2, 1.5]
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(fit, "fail_at_the_end", lambda: None)  # of this process's memory


def written(folder: Path, *, epochs: int = 2, search: str = PLAN) -> Path:
    (folder / "toy.yaml").write_text(search.replace("EPOCHS", str(epochs)))
    return folder / "toy.yaml"


def numbers(found: Sweep, state: str) -> list[int]:
    return [trial.number for trial in found.of_state(state)]


def test_a_bad_value_is_recorded_and_the_best_config_trains(
    class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "out", f"--data.root={class_folders}"
    found = sweep(written(tmp_path), [data], out=out)
    complete, failed = numbers(found, "complete"), numbers(found, "failed")
    assert complete and failed and len(found.trials) == 3
    bad = found.trials[failed[0]]
    assert bad.settings["data.val_fraction"] == 1.5 and "expected a share" in bad.error
    assert f"trial {bad.number} failed: val_fraction is 1.5" in capsys.readouterr().out
    good = found.trials[complete[0]]
    run = read_run(next(Path(good.folder).rglob(NAME)))
    assert run.config["model"]["init_args"]["lr"] == pytest.approx(good.settings["model.lr"])
    assert (run.metrics["val_accuracy"], run.model) == (pytest.approx(good.value), None)
    assert {"report.html", "sweep.json", "study.db", "worker-0.log"} <= {path.name for path in out.iterdir()}
    assert fit.fit([f"--config={out / 'best.yaml'}", "--trainer.fast_dev_run=1"]) == []
    with pytest.raises(DataError, match="--resume goes on"):
        sweep(tmp_path / "toy.yaml", [data], out=out)


def test_a_killed_training_is_named_and_a_stopped_sweep_goes_on(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = PLAN.replace("[0.2, 1.5]", "[0.2, 0.3]").replace("search:", "prune: false\nsearch:")
    file, out, data = (
        written(tmp_path, epochs=60, search=search),
        tmp_path / "out",
        f"--data.root={class_folders}",
    )
    sleep = time.sleep
    seen: list[int] = []

    def meddle(seconds: float) -> None:
        """Kill the first training as a machine does when memory is out; press Ctrl-C in the second."""
        sleep(seconds / 10)
        study = optuna.load_study(study_name="toy", storage=f"sqlite:///{out / 'study.db'}")
        for trial in study.get_trials(states=(TrialState.RUNNING,)):
            if trial.number not in seen and len(trial.intermediate_values) > 1:
                seen.append(trial.number)
                if trial.number == 1:
                    raise KeyboardInterrupt
                os.kill(int(trial.user_attrs[WORKER].rpartition(":")[2]), signal.SIGKILL)

    monkeypatch.setattr(workers.time, "sleep", meddle)
    with pytest.raises(KeyboardInterrupt):
        sweep(file, [data], out=out)
    study = optuna.load_study(study_name="toy", storage=f"sqlite:///{out / 'study.db'}")
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 2
    stopped = read_run(next((out / "trials" / "0001").rglob(NAME)))
    assert stopped.status == INTERRUPTED
    assert "signal 9, perhaps because memory was out" in (out / "report.html").read_text()

    monkeypatch.setattr(workers.time, "sleep", sleep)
    found = sweep(file, [data], out=out, trials=2, resume=True)
    assert numbers(found, "failed") == [0] and numbers(found, "interrupted") == [1]
    assert numbers(found, "complete") == [2]
    assert found.trials[2].settings == found.trials[1].settings


def test_options_that_fit_does_not_take_are_refused_before_the_first_trial(
    class_folders: Path, tmp_path: Path
) -> None:
    data = f"--data.root={class_folders}"
    for old, new, clue in (
        ("model.lr", "model.rate", "rate"),
        ("[0.2, 1.5]", "[0.2, much]", "much"),
    ):
        with pytest.raises(DataError, match=clue):
            sweep(written(tmp_path, search=PLAN.replace(old, new)), [data], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    require_options(read_plan(written(tmp_path)), [data])


def test_the_shipped_sweeps_name_options_that_fit_takes() -> None:
    files = sorted((ROOT / "training/configs/sweeps").glob("*.yaml"))
    assert len(files) >= 2
    for file in files:
        require_options(read_plan(file), [])
