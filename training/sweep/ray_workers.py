"""The same on a cluster of Ray: each trial is a task, and the study's database is what they share."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import optuna

from perception.fleet import cluster
from perception.fleet.worker import enter
from training.datasets.images import DataError
from training.sweep.study import counted, end_lost
from training.sweep.workers import LOG, POLL_S, STOP_S, Job, is_hopeless, log_to, train_one


def train(job: Job, folder: Path, index: int, name: str) -> None:
    """A task: one trial, in a process of its own.

    Args:
        job: what to do.
        folder: the sweep's working folder, where its relative paths begin.
        index: of the log.
        name: by which the study knows the task.
    """
    enter(folder)
    log_to(job.out / LOG.format(index))
    try:
        train_one(job, job.study(), job.others, name)
    except KeyboardInterrupt:  # the sweep is stopped; the study says so
        return


def watch(job: Job, study: optuna.Study, address: str | None) -> Generator[None, None, None]:
    """Run the trials as ``training.sweep.workers.watch`` does.

    Args:
        job: what to do.
        study: the same study.
        address: of the cluster; None starts Ray on this machine.

    Raises:
        PerceptionError: there is no Ray.
        DataError: several machines would share a file of SQLite, or a task ended without a trial.
    """
    tickets = max(0, job.plan.trials - counted(study))
    known = len(study.get_trials(deepcopy=False))
    free, running = list(range(job.workers)), dict[Any, tuple[int, str]]()
    with cluster.started(address) as ray:
        if len(ray.nodes()) > 1 and job.url.startswith("sqlite"):
            raise DataError(
                "several machines cannot share a file of SQLite; give --storage a database that all reach"
            )
        share = cluster.share(ray, job.workers, device="auto")
        task = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=0)(train)
        try:
            while not is_hopeless(study, known):
                while tickets and free and counted(study) < job.plan.trials:
                    index, name = free.pop(0), f"ray-{uuid.uuid4().hex}"
                    running[task.remote(job, Path.cwd(), index, name)] = (index, name)
                    tickets -= 1
                if not running:  # all are done, here or by others who share the study
                    return
                yield
                ended, _ = ray.wait(list(running), timeout=POLL_S)
                for reference in ended:
                    index, name = running.pop(reference)
                    free.append(index)
                    _require_end(ray, study, reference, name, job.out / LOG.format(index))
        finally:
            # Lightning ends each training, and run.json says that it was interrupted.
            for reference in running:
                ray.cancel(reference)
            if running:
                ray.wait(list(running), num_returns=len(running), timeout=STOP_S)
            for _, name in running.values():
                end_lost(study, name)


def _require_end(ray: Any, study: optuna.Study, reference: Any, name: str, log: Path) -> None:
    """Record a trial whose process was killed.

    Raises:
        DataError: the task could not even begin a trial.
    """
    try:
        ray.get(reference)
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        death = f"its process ended, perhaps because memory was out; {log} may say why"
        if not end_lost(study, name, death):
            raise DataError(f"a worker cannot train: {lines[-1] if lines else death}") from error
