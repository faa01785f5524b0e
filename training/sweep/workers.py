"""The processes that train: one trial after the other, each with a log of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Semaphore
from pathlib import Path

import optuna
from optuna.trial import TrialState

from training.datasets.images import DataError
from training.sweep.plan import Plan
from training.sweep.study import (
    WORKER,
    counted,
    end_lost,
    error_of,
    open_storage,
    pruner,
    sampler,
    this_worker,
)
from training.sweep.trial import run_trial

POLL_S = 1.0
STOP_S = 30  # that a training has to write down that it was stopped
LOG = "worker-{}.log"
HOPELESS = 3  # failures without one success, after which a sweep ends


@dataclass(frozen=True)
class Job:
    """What every worker of a sweep needs.

    Attributes:
        plan: of the sweep.
        others: see :func:`training.sweep.trial.arguments`.
        url: of the storage.
        out: the sweep's folder.
        workers: how many there are on this machine.
    """

    plan: Plan
    others: tuple[str, ...]
    url: str
    out: Path
    workers: int

    def study(self) -> optuna.Study:
        """The study, which is there."""
        return optuna.load_study(
            study_name=self.plan.name, storage=open_storage(self.url), pruner=pruner(self.plan)
        )


def work(job: Job, tickets: Semaphore, index: int) -> None:
    """Be a worker: train as long as there are tickets, and the study lacks trials.

    Args:
        job: what to do.
        tickets: one for each trial of this machine.
        index: of this worker, from 0 on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent stops workers
    log_to(job.out / LOG.format(index))
    import torch

    from perception.engines.threads import cores
    from perception.malloc import keep_freed

    keep_freed()
    others = job.others
    if torch.cuda.device_count() > 1 and not any(one.startswith("--trainer.devices") for one in others):
        others = (*others, f"--trainer.devices=[{index % torch.cuda.device_count()}]")
    elif job.workers > 1 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, cores() // job.workers))
    study = job.study()
    while tickets.acquire(block=False) and counted(study) < job.plan.trials:
        try:
            train_one(job, study, others, this_worker())
        except KeyboardInterrupt:
            return


def log_to(path: Path) -> None:
    """Append what this process prints to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.stdout.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def train_one(job: Job, study: optuna.Study, others: Sequence[str], worker: str) -> None:
    """Train the next trial of a study; if it fails, the study knows why.

    Args:
        job: what to do.
        study: to take the trial from.
        others: see :func:`training.sweep.trial.arguments`.
        worker: name of who trains.

    Raises:
        KeyboardInterrupt: it was stopped from outside.
    """

    def train(trial: optuna.Trial) -> float:
        trial.set_user_attr(WORKER, worker)
        study.sampler = sampler(job.plan, trial.number)
        return run_trial(trial, job.plan, others, out=job.out)

    study.optimize(train, n_trials=1, catch=(Exception,))


def watch(job: Job, study: optuna.Study) -> Generator[None, None, None]:
    """Run the workers, and give the caller a moment to look every now and then.

    A worker that dies with its trial, because memory is out perhaps, is replaced. Whoever closes the
    generator stops the workers, and so do Ctrl-C and SIGTERM.

    Raises:
        DataError: a worker ended without a trial.
    """
    context = multiprocessing.get_context("spawn")
    tickets = context.Semaphore(max(0, job.plan.trials - counted(study)))
    known = len(study.get_trials(deepcopy=False))
    processes: dict[int, SpawnProcess] = {}

    def start(index: int) -> None:
        processes[index] = context.Process(target=work, args=(job, tickets, index))
        processes[index].start()

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for index in range(job.workers):
            start(index)
        while processes and not is_hopeless(study, known):
            yield
            time.sleep(POLL_S)
            for index, process in list(processes.items()):
                if process.exitcode is None:
                    continue
                del processes[index]
                death = _death(process.exitcode, job.out / LOG.format(index))
                if end_lost(study, this_worker(process.pid), death):
                    start(index)
                elif process.exitcode:
                    raise DataError(f"a worker cannot train: {death}")
    finally:
        stop(study, list(processes.values()))
        signal.signal(signal.SIGTERM, before)


def _death(exitcode: int, log: Path) -> str:
    reason = ", perhaps because memory was out" if exitcode == -signal.SIGKILL else ""
    ended = f"signal {-exitcode}" if exitcode < 0 else f"exit status {exitcode}"
    return f"its process ended with {ended}{reason}; {log} may say why"


def is_hopeless(study: optuna.Study, known: int) -> bool:
    """Whether several trials have failed and none has said anything, as with a data set that is not there.

    Args:
        study: with the trials.
        known: how many there were before.
    """
    attributes = study.user_attrs
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.number >= known]
    failed = [trial for trial in trials if trial.state == TrialState.FAIL and error_of(trial, attributes)]
    return len(failed) >= HOPELESS and not any(trial.intermediate_values for trial in trials)


def stop(study: optuna.Study, processes: Sequence[SpawnProcess]) -> None:
    """Stop workers, and leave no trial that seems to run."""
    for process in processes:
        process.terminate()  # Lightning ends the training, and run.json says that it was interrupted
    until = time.monotonic() + STOP_S
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        if process.exitcode is None:
            process.kill()
            process.join()
        end_lost(study, this_worker(process.pid))
