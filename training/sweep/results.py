"""What a sweep has found, as frozen data: sweep.json, and the best settings as a config of ``fit``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML

from perception.paths import replacing
from training.sweep.plan import Choice, Plan
from training.sweep.study import error_of, without_password
from training.sweep.trial import CONFIG, EPOCHS, FOLDER, SECONDS

RESULTS, BEST = "sweep.json", "best.yaml"
COMPLETE, PRUNED, FAILED, INTERRUPTED, RUNNING = (
    "complete",
    "stopped early",
    "failed",
    "interrupted",
    "running",
)
STATES = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.RUNNING: RUNNING}
ENOUGH = 6  # complete trials, below which nobody can say which setting matters


@dataclass(frozen=True)
class Tried:
    """One trial.

    Attributes:
        number: in the study.
        state: COMPLETE, PRUNED, FAILED, INTERRUPTED or RUNNING.
        value: what the last validation said; None if there was none.
        settings: that the study picked.
        curve: share of the training → what validation said then.
        epochs: that were trained.
        seconds: that it took.
        folder: of the training.
        error: why it failed.
    """

    number: int
    state: str
    value: float | None
    settings: Mapping[str, Any]
    curve: tuple[tuple[float, float], ...]
    epochs: int
    seconds: float
    folder: str
    error: str


@dataclass(frozen=True)
class Sweep:
    """All trials of a study so far.

    Attributes:
        study: its name.
        storage: address of the database, without a password.
        metric: what counts.
        direction: ``maximize`` or ``minimize``.
        trials: by number.
        best: number of the best complete trial; None if there is none.
        importances: setting → share of the differences between complete trials that it explains (PED-ANOVA,
            Watanabe et al. 2023); empty if there are too few.
    """

    study: str
    storage: str
    metric: str
    direction: str
    trials: tuple[Tried, ...]
    best: int | None
    importances: Mapping[str, float]

    def ranked(self) -> list[Tried]:
        """Trials with a value: the complete ones before those that were stopped, the best first."""
        sign = -1 if self.direction == "maximize" else 1
        valued = [trial for trial in self.trials if trial.value is not None]
        return sorted(valued, key=lambda trial: (trial.state != COMPLETE, sign * (trial.value or 0.0)))

    def of_state(self, state: str) -> list[Tried]:
        """The trials that ended like this."""
        return [trial for trial in self.trials if trial.state == state]


def read_sweep(study: optuna.Study, plan: Plan, url: str, *, with_importances: bool = True) -> Sweep:
    """Read a study.

    Args:
        study: to read.
        plan: that it follows.
        url: of its storage.
        with_importances: find out which settings matter, which takes a second.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return Sweep(
        study.study_name,
        without_password(url),
        plan.metric,
        plan.direction,
        tuple(_tried(trial, plan, study.user_attrs) for trial in trials),
        _best(complete, plan),
        _importances(study) if with_importances and len(complete) >= ENOUGH else {},
    )


def _best(complete: Sequence[FrozenTrial], plan: Plan) -> int | None:
    better = max if plan.direction == "maximize" else min
    return better(complete, key=lambda trial: trial.value or 0.0).number if complete else None


def _tried(trial: FrozenTrial, plan: Plan, attributes: Mapping[str, Any]) -> Tried:
    error, own = error_of(trial, attributes), trial.user_attrs
    values = trial.intermediate_values
    return Tried(
        trial.number,
        STATES.get(trial.state) or (FAILED if error else INTERRUPTED),
        trial.value if trial.state == TrialState.COMPLETE else values[max(values)] if values else None,
        {
            name: json.loads(value) if isinstance(plan.search.get(name), Choice) else value
            for name, value in trial.params.items()
        },
        tuple((part / plan.parts, values[part]) for part in sorted(values)),
        own.get(EPOCHS, 0),
        own.get(SECONDS, 0.0),
        own.get(FOLDER, ""),
        error,
    )


def _importances(study: optuna.Study) -> dict[str, float]:
    try:
        return dict(optuna.importance.get_param_importances(study))
    except (RuntimeError, ValueError):  # all trials are equally good
        return {}


def write(sweep: Sweep, out: Path) -> None:
    """Write sweep.json."""
    with replacing(out / RESULTS) as path:
        path.write_text(json.dumps(asdict(sweep), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_best(study: optuna.Study, sweep: Sweep, out: Path) -> Path | None:
    """Write the best trial's config as ``fit --config`` takes it.

    Returns:
        The file; None if no trial is complete.
    """
    if sweep.best is None:
        return None
    (best,) = (trial for trial in sweep.trials if trial.number == sweep.best)
    (own,) = (trial for trial in study.get_trials(deepcopy=False) if trial.number == sweep.best)
    config = json.loads(own.user_attrs[CONFIG])
    config["trainer"] |= {"default_root_dir": f"runs/{sweep.study}_best", "enable_progress_bar": None}
    lines = _header(sweep, best)
    with replacing(out / BEST) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in lines)
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.dump(config, file)
    return out / BEST


def _header(sweep: Sweep, best: Tried) -> Sequence[str]:
    return (
        f"Trial {best.number} of the study {sweep.study!r}: {sweep.metric} {best.value:.4f}",
        *(f"  {name}: {json.dumps(value)}" for name, value in best.settings.items()),
        f"python -m training fit --config {BEST}",
    )
