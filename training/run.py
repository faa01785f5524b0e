"""run.json: what one training was, where it ran, and what came of it, in the folder of its logs.

A training is recorded from its first step on, so a run that was interrupted or that failed has its file too.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
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

NAME = "run.json"
STEPS = 1000  # of which the median is taken
DONE, INTERRUPTED, FAILED = "done", "interrupted", "failed"


@dataclass(frozen=True)
class DataSummary:
    """What a run learnt from, and what it kept aside.

    Attributes:
        data_set: name of the data set.
        folder: last part of the path to it.
        train: number of pictures or crops to learn from.
        val: number of pictures or crops to validate on.
        batch_size: frames a step.
        train_on_val: it learnt from the validation part as well.
        kept_aside: fingerprint of the validation part.
        background_kept_aside: fingerprint of the background that validates; empty if there is none.
        val_fraction: share of the data that was split off to validate; None if the data set says which.
        split_seed: of that choice.
        excluded: number of pictures that the list ``exclude`` of the config left out of both.
    """

    data_set: str
    folder: str
    train: int
    val: int
    batch_size: int
    train_on_val: bool
    kept_aside: str
    background_kept_aside: str = ""
    val_fraction: float | None = None
    split_seed: int | None = None
    excluded: int = 0


@dataclass(frozen=True)
class ModelFile:
    """The exported model.

    Attributes:
        file: path of the ``.onnx``, relative to the run's folder.
        sha256: of its bytes.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Run:
    """One training. All but ``folder`` is in run.json, and paths there are relative to ``folder``.

    Attributes:
        folder: of the run's logs, config.yaml and run.json.
        status: DONE, INTERRUPTED (Ctrl-C, SIGTERM) or FAILED.
        error: first line of what ended it; empty if it is done.
        task: key in the table of tasks.
        started: date and time, ISO 8601, UTC.
        duration_s: seconds from the first step to the exported model.
        epochs: that were finished, those before a checkpoint that was resumed included.
        steps: likewise.
        seed: of all random numbers.
        config: of task, data and trainer, as the command line and config files gave it.
        data: what it learnt from.
        machine: processor, cores, GPU and versions.
        curves: TensorBoard's event files.
        checkpoint: to resume from; empty if there is none yet.
        model: None if nothing was exported.
        metrics: the last values that were logged.
        before: what validation said of the weights that training started from; empty if it began from
            nothing, or with other classes.
        processes: that trained together; a step learnt from as many batches.
        steps_an_epoch: as many batches has an epoch.
        step_s: median seconds of a step, with the wait for its batch; 0 if there were fewer than two.
    """

    folder: Path
    status: str
    error: str
    task: str
    started: str
    duration_s: float
    epochs: int
    steps: int
    seed: int | None
    config: Mapping[str, Any]
    data: DataSummary
    machine: Mapping[str, str | int]
    curves: tuple[str, ...]
    checkpoint: str
    model: ModelFile | None
    metrics: Mapping[str, float]
    before: Mapping[str, float] = field(default_factory=dict)
    processes: int = 1
    steps_an_epoch: int = 0
    step_s: float = 0.0

    def to_json(self) -> str:
        """The content of run.json."""
        content = asdict(self)
        del content["folder"]
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @property
    def model_path(self) -> Path | None:
        """The exported model; None if nothing was exported."""
        return self.folder / self.model.file if self.model else None


def read_run(path: Path) -> Run:
    """Read a run.json; entries of later releases are left out.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is malformed.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Run(
            folder=path.parent,
            **_known(Run, content)
            | {
                "data": DataSummary(**_known(DataSummary, content["data"])),
                "model": ModelFile(**_known(ModelFile, content["model"])) if content["model"] else None,
                "curves": tuple(content["curves"]),
            },
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the run.json of a training: {error!r}") from error


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


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in content.items() if name in names}
