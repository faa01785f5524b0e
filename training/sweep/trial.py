"""One trial: a training by ``fit`` with settings that the study picks, stopped early if others do better."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import optuna
from lightning.pytorch.callbacks import Callback

from training import fit
from training.datasets.images import DataError
from training.sweep.plan import Plan, as_arguments

# What a study keeps of a trial beside its settings and values.
FOLDER, CONFIG, SECONDS, EPOCHS, ERROR = "folder", "config", "seconds", "epochs", "error"


class Watch(Callback):
    """Reports each validation to the study, and ends the training if the study says so.

    Args:
        trial: of the study.
        metric: what validation logs, and what counts.
        parts: of a training, in which the study counts.
    """

    value = math.nan
    is_pruned = False
    epochs = 0

    def __init__(self, trial: optuna.Trial, metric: str, *, parts: int) -> None:
        self.trial = trial
        self.metric = metric
        self.parts = parts
        self._done = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Report, and stop.

        Raises:
            DataError: validation logs no such metric.
        """
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        scores = trainer.callback_metrics
        if self.metric not in scores:
            raise DataError(f"validation logs no {self.metric!r}, only {', '.join(sorted(scores))}")
        self.value, self.epochs = float(scores[self.metric]), trainer.current_epoch + 1
        done = trainer.global_step / trainer.estimated_stepping_batches
        part = math.floor(done * self.parts + 1e-6)
        if part > self._done:
            self._done = part
            self.trial.report(self.value, part)
            # What is done need not be stopped.
            if part < self.parts and self.trial.should_prune():
                self.is_pruned = trainer.should_stop = True


class _CommandLine(fit.CommandLine):
    """A training that is watched. The best settings are exported later, by a training of their own."""

    def __init__(self, *arguments: Any, watch: Watch, **others: Any) -> None:
        self._watch = watch
        super().__init__(*arguments, **others)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.append(self._watch)  # type: ignore[attr-defined]  # Lightning's types lack it
        return trainer

    def after_fit(self) -> None:
        """Export nothing."""


def arguments(plan: Plan, settings: dict[str, Any], others: Sequence[str]) -> list[str]:
    """The command line of a trial, from ``fit`` on.

    Args:
        plan: of the sweep.
        settings: that the study picked.
        others: what all trials get in addition, as the user gave it.
    """
    return [f"--config={plan.config}", *as_arguments(plan.options), *others, *as_arguments(settings)]


def run_trial(trial: optuna.Trial, plan: Plan, others: Sequence[str], *, out: Path) -> float:
    """Train.

    Args:
        trial: of the study; keeps where the training is, its config, and what went wrong.
        plan: of the sweep.
        others: see :func:`arguments`.
        out: the sweep's folder.

    Returns:
        What the last validation said.

    Raises:
        TrialPruned: others do better.
        KeyboardInterrupt: it was stopped from outside.
    """
    begun, folder = time.monotonic(), out / "trials" / f"{trial.number:04d}"
    trial.set_user_attr(FOLDER, str(folder))
    watch = Watch(trial, plan.metric, parts=plan.parts)
    given = [
        *arguments(plan, plan.pick(trial), others),
        f"--trainer.default_root_dir={folder}",
        "--trainer.enable_progress_bar=false",
    ]
    try:
        with fit.explained():
            run, _ = fit.train(given, command_line=partial(_CommandLine, watch=watch))
        if run is None:
            raise DataError("a trial needs a real training; leave out --trainer.fast_dev_run")
        if not watch.is_pruned and math.isnan(watch.value):
            raise DataError(f"{plan.metric} is no number" if watch.epochs else "the training never validated")
    except SystemExit as error:
        if error.code == 2:  # of options that fit does not take
            trial.set_user_attr(ERROR, "fit does not take these options")
            raise ValueError("fit does not take these options") from error
        raise KeyboardInterrupt from error  # Lightning makes this of Ctrl-C and SIGTERM
    except Exception as error:
        trial.set_user_attr(ERROR, (str(error) or type(error).__name__).splitlines()[0])
        raise
    finally:
        trial.set_user_attr(SECONDS, round(time.monotonic() - begun, 1))
        trial.set_user_attr(EPOCHS, watch.epochs)
    trial.set_user_attr(CONFIG, json.dumps(run.config))
    if watch.is_pruned:
        raise optuna.TrialPruned
    return watch.value
