"""The study behind a sweep: a database that keeps all trials, and that many processes and machines share."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from training.datasets.images import DataError
from training.sweep.plan import Plan
from training.sweep.trial import ERROR

# What a study keeps beside its trials, and a trial beside what training.sweep.trial keeps.
PLAN, KILLED, WORKER, AGAIN = "plan", "killed {}", "worker", "again"
HEARTBEAT_S = 60  # after ten without a sign of life, a trial of a machine that is gone counts as interrupted
LOCKED_S = 60  # that a process waits for another one to write into SQLite's file


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """Connect to a database, and make its tables if they are not there.

    Args:
        url: as SQLAlchemy writes it: ``sqlite:///study.db``, ``postgresql://user:password@host/name``, …

    Raises:
        DataError: there is no such database, or what it needs is not installed.
    """
    connect = {"timeout": LOCKED_S} if url.startswith("sqlite") else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of the heartbeat
            return optuna.storages.RDBStorage(
                url,
                engine_kwargs={"connect_args": connect},
                heartbeat_interval=HEARTBEAT_S,
                grace_period=10 * HEARTBEAT_S,
            )
    except (SQLAlchemyError, ImportError, ValueError) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(
            f"--storage {without_password(url)} cannot be opened: {text}; give a database as SQLAlchemy "
            "names it, as sqlite:///study.db"
        ) from error


def without_password(url: str) -> str:
    """A storage's address as it may be printed."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{place}"


def open_study(url: str, plan: Plan, others: Sequence[str], *, resume: bool) -> optuna.Study:
    """Make the study, or go on with it.

    Raises:
        DataError: it is there and ``resume`` is false, or it was made with another plan.
    """
    storage = open_storage(url)
    wanted = in_study(plan, others)
    if plan.name not in optuna.get_all_study_names(storage):
        study = optuna.create_study(storage=storage, study_name=plan.name, direction=plan.direction)
        study.set_user_attr(PLAN, wanted)
        return study
    if not resume:
        raise DataError(
            f"the study {plan.name!r} is in {without_password(url)} already; --resume goes on with it, "
            "--study gives a new one another name"
        )
    study = optuna.load_study(study_name=plan.name, storage=storage)
    for name, began in study.user_attrs.get(PLAN, {}).items():
        if began != wanted.get(name):
            raise DataError(
                f"the study {plan.name!r} began with {name} {began}, and now it is {wanted.get(name)}; go on "
                "with what it began with, or give another --study"
            )
    return study


def in_study(plan: Plan, others: Sequence[str]) -> dict[str, Any]:
    """What must stay when a study goes on: all but the number of trials."""
    content = asdict(plan) | {"config": str(plan.config), "others": list(others)}
    del content["trials"], content["name"]
    plain: dict[str, Any] = json.loads(json.dumps(content))
    return plain


def pruner(plan: Plan) -> BasePruner:
    """Hyperband, in the parts of a training that :class:`training.sweep.trial.Watch` counts."""
    if plan.prune is None:
        return NopPruner()
    return HyperbandPruner(min_resource=1, max_resource=plan.parts, reduction_factor=plan.prune.keep)


def sampler(plan: Plan, number: int) -> BaseSampler:
    """What picks the settings of a trial.

    The seed is the trial's own, so that a random search tries the same settings with any number of workers,
    and no two workers try the same.
    """
    seed = int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    return RandomSampler(seed) if plan.sampler == "random" else TPESampler(seed=seed, multivariate=False)


def this_worker(pid: int | None = None) -> str:
    """A name of this process, or of another on this machine."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def error_of(trial: FrozenTrial, attributes: Mapping[str, Any]) -> str:
    """Why a trial failed; empty if it did not, or was interrupted.

    Args:
        trial: of the study.
        attributes: the study's own.
    """
    return str(trial.user_attrs.get(ERROR) or attributes.get(KILLED.format(trial.number), ""))


def counted(study: optuna.Study) -> int:
    """Trials that count: all but those that wait or were interrupted."""
    attributes = study.user_attrs
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL)
    trials = study.get_trials(deepcopy=False, states=states)
    return sum(trial.state != TrialState.FAIL or bool(error_of(trial, attributes)) for trial in trials)


def end_lost(study: optuna.Study, worker: str, error: str = "") -> bool:
    """End the trial that a process left behind.

    Args:
        study: with the trials.
        worker: name of the process.
        error: that killed it; empty if it was interrupted.

    Returns:
        Whether there was one.
    """
    is_lost = False
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.user_attrs.get(WORKER) == worker:
            if error:
                study.set_user_attr(KILLED.format(trial.number), error)
            study.tell(trial.number, state=TrialState.FAIL)
            is_lost = True
    return is_lost


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def try_again(study: optuna.Study) -> int:
    """Let trials that were interrupted be tried again with the same settings.

    Returns:
        How many.
    """
    host = this_worker().rpartition(":")[0]
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        machine, _, pid = trial.user_attrs.get(WORKER, "").rpartition(":")
        if machine == host and not _is_alive(int(pid)):
            study.tell(trial.number, state=TrialState.FAIL)
    trials, attributes = study.get_trials(deepcopy=False), study.user_attrs
    done = {trial.user_attrs.get(AGAIN) for trial in trials}
    lost = [
        trial
        for trial in trials
        if trial.state == TrialState.FAIL and not error_of(trial, attributes) and trial.number not in done
    ]
    for trial in lost:
        study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})
    return len(lost)
