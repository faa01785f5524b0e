"""What a sweep found, as data and as a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from training.sweep.plan import Choice, Plan, Prune, Range
from training.sweep.report import best_trials, in_brief, page, ranges, so_far
from training.sweep.results import BEST, RESULTS, read_sweep, write, write_best
from training.sweep.trial import CONFIG, EPOCHS, ERROR

SEARCH = {"model.lr": Range(0.0, 1.0), "data.size": Choice(("32", "64"))}
PLAN = Plan("toy", Path("toy.yaml"), SEARCH, "val_score", prune=Prune(after=1 / 9))


def trial(lr: float, curve: list[float], state: TrialState, **attributes: object) -> FrozenTrial:
    return create_trial(
        state=state,
        value=curve[-1] if state == TrialState.COMPLETE else None,
        params={"model.lr": lr, "data.size": "64"},
        distributions={
            "model.lr": FloatDistribution(0, 1),
            "data.size": CategoricalDistribution(("32", "64")),
        },
        intermediate_values={part + 1: value for part, value in enumerate(curve)},
        user_attrs={EPOCHS: len(curve), **attributes},
    )


@pytest.fixture
def study() -> optuna.Study:
    study = optuna.create_study(direction="maximize", study_name="toy")
    config = json.dumps({"model": {"init_args": {"lr": 0.3}}, "trainer": {"max_epochs": 9}})
    study.add_trials(
        [
            trial(0.2, [0.1] * 9, TrialState.COMPLETE, **{CONFIG: config.replace("0.3", "0.2")}),
            trial(0.9, [0.99], TrialState.PRUNED),
            trial(0.5, [], TrialState.FAIL, **{ERROR: "out of memory: halve"}),
            trial(0.6, [0.2], TrialState.FAIL),
            trial(0.3, [0.1] * 8 + [0.75], TrialState.COMPLETE, **{CONFIG: config}),
        ]
    )
    return study


def test_states_ranks_and_settings(study: optuna.Study, tmp_path: Path) -> None:
    found = read_sweep(study, PLAN, "postgresql://me:secret@host/db")
    states = [one.state for one in found.trials]
    assert states == ["complete", "stopped early", "failed", "interrupted", "complete"]
    assert [one.number for one in found.ranked()] == [4, 0, 1, 3]
    assert found.best == 4 and found.trials[4].settings == {"model.lr": 0.3, "data.size": 64}
    assert found.trials[0].curve[2] == pytest.approx((3 / 9, 0.1)) and found.trials[4].curve[-1][0] == 1.0
    assert list(so_far(found)) == [(9, 0.1), (10, 0.1), (10, 0.1), (11, 0.1), (20, 0.75)]
    assert in_brief(found) == "2 complete, 1 stopped early, 1 failed, 1 interrupted"
    least = replace(found, direction="minimize")
    assert [one.number for one in least.ranked()] == [0, 4, 3, 1]
    assert list(so_far(least))[-1] == (20, 0.1)

    write(found, tmp_path)
    text = (tmp_path / RESULTS).read_text()
    assert "secret" not in text and json.loads(text)["trials"][2]["error"] == "out of memory: halve"


def test_the_best_config_says_where_it_comes_from(study: optuna.Study, tmp_path: Path) -> None:
    found = read_sweep(study, PLAN, "sqlite:///study.db")
    assert write_best(study, found, tmp_path) == tmp_path / BEST
    text = (tmp_path / BEST).read_text()
    assert text.startswith("# Trial 4 of the study 'toy': val_score 0.7500\n#   model.lr: 0.3\n")
    assert "lr: 0.3" in text.partition("\nmodel:")[2] and "default_root_dir: runs/toy_best" in text
    assert write_best(study, replace(found, best=None), tmp_path / "none") is None


def test_the_page_names_failures_and_where_the_best_lie(study: optuna.Study) -> None:
    found = read_sweep(study, PLAN, "sqlite:///study.db")
    text = page(found, PLAN).html()
    for part in ("Best so far", "out of memory: halve", "stopped early", "trial 4: val_score 0.7500"):
        assert part in text
    lr, size = ranges(found, PLAN)
    assert lr == ["model.lr", "0 – 1", "0.3", "0.3 – 0.3"]
    assert size == ["data.size", "32, 64", "64", "64"]
    assert best_trials(found).row_count == 2
    empty = replace(found, trials=(), best=None)
    assert "no trials yet" in page(empty, PLAN).html() and best_trials(empty).row_count == 0


def test_importances_say_which_setting_matters() -> None:
    study = optuna.create_study(direction="maximize")
    for number in range(30):
        one = trial(number / 30, [number / 30], TrialState.COMPLETE)
        one.params["data.size"] = ("32", "64")[number * 7 % 2]
        study.add_trial(one)
    found = read_sweep(study, PLAN, "sqlite:///study.db")
    assert found.importances["model.lr"] > 0.6
    assert "Which settings matter" in page(found, PLAN).html()
