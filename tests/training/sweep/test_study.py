"""A study is shared, goes on, and keeps what failed apart from what was interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from training.datasets.images import DataError
from training.sweep import study as studies
from training.sweep.plan import Choice, Plan, Prune, Range
from training.sweep.trial import ERROR, Watch

PLAN = Plan("toy", Path("toy.yaml"), {"lr": Range(0.0, 1.0), "size": Choice(("1", "2"))}, "val")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def picked(plan: Plan, number: int) -> dict[str, Any]:
    study = optuna.create_study(sampler=studies.sampler(plan, number))
    return plan.pick(study.ask())


def test_a_random_search_tries_the_same_with_any_number_of_workers() -> None:
    plan = replace(PLAN, sampler="random")
    assert picked(plan, 3) == picked(plan, 3)
    assert len({picked(plan, number)["lr"] for number in range(6)}) == 6
    assert picked(plan, 3) != picked(replace(plan, seed=1), 3)


def test_a_study_is_not_taken_by_mistake(url: str) -> None:
    studies.open_study(url, PLAN, ["--data.root=a"], resume=False)
    with pytest.raises(DataError, match="--resume goes on with it"):
        studies.open_study(url, PLAN, ["--data.root=a"], resume=False)
    more = replace(PLAN, trials=99)
    assert studies.open_study(url, more, ["--data.root=a"], resume=True).study_name == "toy"
    with pytest.raises(DataError, match=r"began with others \['--data.root=a'\], and now"):
        studies.open_study(url, PLAN, ["--data.root=b"], resume=True)
    with pytest.raises(DataError, match="began with search"):
        studies.open_study(url, replace(PLAN, search={"lr": Range(0, 2)}), ["--data.root=a"], resume=True)


def test_a_database_that_cannot_be_opened_is_named_without_its_password() -> None:
    with pytest.raises(DataError, match=r"nosuchdb://me@host/study cannot be opened") as caught:
        studies.open_storage("nosuchdb://me:secret@host/study")
    assert "secret" not in str(caught.value)
    assert studies.without_password("sqlite:////tmp/a@b.db") == "sqlite:////tmp/a@b.db"


def test_what_was_interrupted_is_tried_again_and_what_failed_is_not(url: str) -> None:
    study = studies.open_study(url, PLAN, [], resume=False)
    trials = [study.ask() for _ in range(4)]
    settings = [PLAN.pick(trial) for trial in trials]
    for trial in trials:
        trial.set_user_attr(studies.WORKER, studies.this_worker(trial.number + 1_000_000_000))
    study.tell(trials[0], 0.5)
    trials[1].set_user_attr(ERROR, "bad value")
    study.tell(trials[1], state=TrialState.FAIL)
    # Memory was out in one process, and another vanished with its machine's power.
    studies.end_lost(study, studies.this_worker(1_000_000_002), "memory was out")
    assert [t.state for t in study.trials][2:] == [TrialState.FAIL, TrialState.RUNNING]
    assert studies.counted(study) == 4

    assert studies.try_again(study) == 1
    assert studies.counted(study) == 3
    errors = [studies.error_of(trial, study.user_attrs) for trial in study.trials]
    assert errors == ["", "bad value", "memory was out", "", ""]
    again = study.ask()
    assert PLAN.pick(again) == settings[3]
    assert studies.try_again(study) == 0


def validate(watch: Watch, values: list[float], epochs: int) -> int:
    """Run a training of so many epochs with these values; returns how many it got."""
    trainer = SimpleNamespace(
        state=SimpleNamespace(fn="fit"), sanity_checking=False, estimated_stepping_batches=10 * epochs
    )
    trainer.should_stop = False
    for epoch, value in enumerate(values):
        trainer.current_epoch, trainer.global_step = epoch, 10 * (epoch + 1)
        trainer.callback_metrics = {"val": value}
        watch.on_validation_end(trainer, None)  # type: ignore[arg-type]
        if trainer.should_stop:
            break
    return watch.epochs


def test_the_worst_are_stopped_early_and_none_at_its_end() -> None:
    plan = replace(PLAN, prune=Prune(after=1 / 9, keep=3))
    study = optuna.create_study(direction="maximize", pruner=studies.pruner(plan), study_name="toy")
    trained: dict[str, list[int]] = {"good": [], "bad": []}
    for number in range(30):
        name = "good" if number % 3 == 0 else "bad"
        trial = study.ask()
        watch = Watch(trial, "val", parts=9)
        # Each better, or worse, than the last.
        level = number / 1000 if name == "good" else -1 - number / 1000
        trained[name].append(validate(watch, [level] * 9, epochs=9))
        if watch.is_pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            assert watch.epochs == 9
            study.tell(trial, watch.value)
    assert sum(trained["good"]) > 9 * len(trained["good"]) * 0.8
    assert sum(trained["bad"]) < 9 * len(trained["bad"]) * 0.6
    assert min(trained["bad"]) == 1


def test_a_metric_that_validation_does_not_log_is_named() -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(DataError, match="validation logs no 'accuracy', only val"):
        validate(Watch(trial, "accuracy", parts=9), [0.0], epochs=1)
