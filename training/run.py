"""run.json: what one training was, where it ran, and what came of it, in the folder of its logs.

Whoever reads the records of trainings needs neither PyTorch nor Lightning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

NAME = "run.json"
ANSWERS_TAG = "answers/"  # beginning of the names of pictures with answers, beside the curves
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


def flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Parameters by the names of the command line: those of a group as ``group.name``."""
    named: dict[str, Any] = {}
    for name, value in parameters.items():
        group = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        if isinstance(group, Mapping):
            named |= flat(group, f"{prefix}{name}.")
        else:
            named[f"{prefix}{name}"] = value
    return named


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in content.items() if name in names}
