"""Recorder: writes the run.json of a training.

A training is recorded from its first step on, so a run that was interrupted or that failed has its file too.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from perception.machine import machine
from perception.paths import writing
from training import internals
from training.run import DONE, FAILED, INTERRUPTED, NAME, DataSummary, ModelFile, Run

STEPS = 1000  # of which the median is taken


class Recorder(Callback):
    """Writes the run.json of one training, however it ends.

    Attributes:
        config: see :class:`Run`.
        exported: the model file, once it is written.
        before: see :class:`Run`.
    """

    def __init__(self) -> None:
        self.config: Mapping[str, Any] = {}
        self.exported: Path | None = None
        self.before: Mapping[str, float] = {}
        self._trainer: Any = None  # an L.Trainer, whose types lack attributes
        self._step_began: float | None = None
        self._steps_s: deque[float] = deque(maxlen=STEPS)

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        folder = Path(trainer.log_dir or trainer.default_root_dir)  # all processes have to ask together
        if not trainer.is_global_zero:
            return
        self._trainer, self._folder, self._task = trainer, folder, str(pl_module.TASK)
        self._started, self._clock = datetime.now(timezone.utc), time.monotonic()

    def on_train_batch_start(self, *_: Any) -> None:
        """Time the step before, with all that came between."""
        now = time.monotonic()
        if self._step_began is not None:
            self._steps_s.append(now - self._step_began)
        self._step_began = now

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """What comes between two epochs is no step."""
        self._step_began = None

    def end(self, error: BaseException | None = None) -> Run | None:
        """Write the file.

        Args:
            error: what ended the training early, if anything did.

        Returns:
            The run; None if training never began, if it leaves no files on purpose (``fast_dev_run``), or if
            this is another process than the first.
        """
        trainer = self._trainer
        if trainer is None or trainer.fast_dev_run:
            return None
        folder = self._folder
        text = str(error) or type(error).__name__ if error else ""
        run = Run(
            folder=folder,
            status=_status(error),
            error=text.splitlines()[0] if text else "",
            task=self._task,
            started=self._started.isoformat(timespec="seconds"),
            duration_s=round(time.monotonic() - self._clock, 1),
            epochs=trainer.current_epoch,
            steps=trainer.global_step,
            seed=internals.global_seed(),
            config=self.config,
            data=_summary(trainer.datamodule),
            machine=training_machine(),
            processes=trainer.world_size,
            curves=tuple(sorted(path.name for path in folder.glob("events.out.tfevents.*"))),
            checkpoint=_relative(trainer.checkpoint_callback.best_model_path, folder),
            model=_model(self.exported, folder),
            metrics={name: float(value) for name, value in trainer.callback_metrics.items()},
            before=self.before,
            steps_an_epoch=int(trainer.num_training_batches),
            step_s=round(median(self._steps_s), 4) if self._steps_s else 0.0,
        )
        folder.mkdir(parents=True, exist_ok=True)
        with writing(folder / NAME):
            (folder / NAME).write_text(run.to_json(), encoding="utf-8")
        return run


def training_machine() -> dict[str, str | int]:
    """The machine, with its GPU (empty if torch sees none) and the versions of what computes."""
    return {
        **machine(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "torch": torch.__version__,
        "lightning": L.__version__,
    }


def _status(error: BaseException | None) -> str:
    if error is None:
        return DONE
    # Lightning turns Ctrl-C and SIGTERM into a SystemExit.
    return INTERRUPTED if isinstance(error, (KeyboardInterrupt, SystemExit)) else FAILED


def _summary(data: Any) -> DataSummary:
    is_split = getattr(data, "is_split_already", False)
    return DataSummary(
        data_set=data.data_set,
        folder=Path(data.root).resolve().name,
        train=len(data.train),
        val=len(data.val or ()),
        batch_size=data.batch_size,
        train_on_val=data.train_on_val,
        kept_aside=data.kept_aside,
        background_kept_aside=getattr(data, "background_kept_aside", None) or "",
        val_fraction=None if is_split else getattr(data, "val_fraction", None),
        split_seed=None if is_split else getattr(data, "seed", None),
        excluded=len(getattr(data, "excluded", ())),
    )


def _model(path: Path | None, folder: Path) -> ModelFile | None:
    if path is None:
        return None
    return ModelFile(_relative(path, folder), hashlib.sha256(path.read_bytes()).hexdigest())


def _relative(path: str | Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix() if path else ""
