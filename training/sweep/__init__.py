"""Search for settings: many short trainings, of which the worst are stopped early.

plan.py      what is searched: a YAML file
study.py     the database of trials, which processes and machines share
trial.py     one training
workers.py   the processes that train; ray_workers.py   the same on a cluster
results.py   what was found, as frozen data and as a config
report.py    the same for people
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from training import fit, usage
from training.datasets.images import DataError
from training.sweep import ray_workers
from training.sweep.plan import Plan, read_plan
from training.sweep.report import in_brief, page
from training.sweep.results import FAILED, INTERRUPTED, RUNNING, Sweep, read_sweep, write, write_best
from training.sweep.study import counted, open_study, try_again, without_password
from training.sweep.trial import arguments
from training.sweep.workers import Job, watch

REPORT = "report.html"


class _UnderstoodError(Exception):
    """The options of a trial are fine."""


class _Options(fit.CommandLine):
    """Reads the options of a training, and trains nothing."""

    def before_instantiate_classes(self) -> None:
        raise _UnderstoodError


def sweep(
    file: Path,
    others: Sequence[str] = (),
    *,
    out: Path | None = None,
    study_name: str | None = None,
    storage: str | None = None,
    trials: int | None = None,
    workers: int = 1,
    resume: bool = False,
    ray: bool = False,
    address: str | None = None,
) -> Sweep:
    """Try settings until the study has all its trials.

    Args:
        file: see :func:`read_plan`.
        others: what every trial gets in addition, as ``fit`` takes it.
        out: folder for trainings, logs, sweep.json, best.yaml and report.html; None: ``runs/sweeps/NAME``.
        study_name: None: the file's name.
        storage: address of the study's database; None: a file of SQLite in ``out``.
        trials: how many in all, instead of the file's number.
        workers: trainings at a time.
        resume: go on with a study that is there, or join it from another machine.
        ray: let Ray run the trials.
        address: of a cluster of Ray; None starts it on this machine.

    Returns:
        What was found. It is written as well.

    Raises:
        DataError: the file or an option cannot be used, the study is there already, or no trial succeeds.
        KeyboardInterrupt: it was stopped; what was found until then is written.
    """
    plan = read_plan(file)
    plan = replace(plan, name=study_name or plan.name, trials=trials or plan.trials)
    if workers < 1 or plan.trials < 1:
        raise DataError(f"--workers is {workers} and --trials {plan.trials}; expected 1 or more")
    require_options(plan, others)
    out = (out or Path("runs/sweeps") / plan.name).resolve()
    out.mkdir(parents=True, exist_ok=True)
    url = storage or f"sqlite:///{out / 'study.db'}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    study = open_study(url, plan, others, resume=resume)
    again = try_again(study)
    _announce(plan, url, out, workers=workers, left=plan.trials - counted(study), again=again)
    try:
        job = Job(plan, tuple(others), url, out, workers)
        _run(job, study, ray_workers.watch(job, study, address) if ray else watch(job, study))
    finally:
        found = read_sweep(study, plan, url)
        write(found, out)
        best = write_best(study, found, out)
        page(found, plan).save(out / REPORT)
    if best is None:
        raise DataError(f"no trial has succeeded; {_last_error(found)}; logs are {out}/worker-*.log")
    return found


def _last_error(found: Sweep) -> str:
    errors = [trial.error for trial in found.of_state(FAILED)]
    return f"the last said: {errors[-1] if errors else 'nothing'}"


def require_options(plan: Plan, others: Sequence[str]) -> None:
    """Refuse options that ``fit`` does not take, before the first trial.

    Raises:
        DataError: with fit's own words.
    """
    for settings in plan.corners():
        said = io.StringIO()
        logging.disable(logging.INFO)  # of the seed
        try:
            with contextlib.redirect_stderr(said):
                fit.train(arguments(plan, settings, others), command_line=_Options)
        except _UnderstoodError:
            continue
        except SystemExit as error:
            lines = [line.strip() for line in said.getvalue().splitlines() if line.strip()]
            text = lines[-1].removeprefix(f"{usage.PROGRAM}: ") if lines else "fit does not take them"
            raise DataError(
                f"the settings of {plan.name!r} are no options of {plan.config}: {text}"
            ) from error


def _announce(plan: Plan, url: str, out: Path, *, workers: int, left: int, again: int) -> None:
    print(f"{plan.name}: {left} trials of {plan.config}, {workers} at a time; everything goes to {out}")
    if again:
        print(f"{again} trials that were interrupted are tried again")
    print(
        f"look at it while it runs: optuna-dashboard {without_password(url)}, or tensorboard --logdir {out}"
    )


def _run(job: Job, study: optuna.Study, looks: Generator[None, None, None]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    named: set[int] = set()
    with Progress(*columns) as progress, contextlib.closing(looks):
        task = progress.add_task(job.plan.name, total=job.plan.trials)
        for _ in looks:
            found = read_sweep(study, job.plan, job.url, with_importances=False)
            for trial in found.of_state(FAILED):
                if trial.number not in named:
                    named.add(trial.number)
                    progress.console.print(f"trial {trial.number} failed: {trial.error}", markup=False)
            best = "" if found.best is None else f", best {found.ranked()[0].value:.4f}"
            done = len(found.trials) - len(found.of_state(RUNNING)) - len(found.of_state(INTERRUPTED))
            progress.update(task, completed=done, description=f"{in_brief(found)}{best}")
