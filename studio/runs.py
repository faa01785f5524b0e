"""What there is of trainings and models: run.json files, model files, and the curves of a training."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from perception.engines import read_spec
from perception.errors import ModelError
from perception.paths import shared
from perception.spec import ModelSpec
from training.run import ANSWERS_TAG, NAME, Run, read_run

MODEL = ".onnx"  # end of a model file's name
LOGS = "lightning_logs"  # in the folder of a training, with one folder for each time that it was started
DEEPEST = 6  # folders below those that were named
MOST = 20_000  # folders that are looked into
POINTS = 400  # of a curve, so that a page with many stays small


@dataclass(frozen=True)
class ModelFile:
    """A model file, and what it says about itself.

    Attributes:
        path: of the file.
        size: bytes.
        changed: when it was written, seconds since 1970.
        spec: None if it cannot be read.
        error: why it cannot.
    """

    path: Path
    size: int
    changed: float
    spec: ModelSpec | None
    error: str


def found(roots: Sequence[Path]) -> tuple[list[Run], list[ModelFile]]:
    """All trainings, the newest first, and all model files, the shipped ones first.

    Args:
        roots: folders to look in.
    """
    runs: list[Run] = []
    files: dict[Path, ModelFile] = {}
    for folder, names in _walk([shared("models"), *roots]):
        for name in names:
            path = folder / name
            if name == NAME:
                runs += [run for run in [_run(path, _stamp(path))] if run]
            elif name.endswith(MODEL):
                files[path] = _model(path, _stamp(path))
    return sorted(runs, key=lambda run: run.started, reverse=True), list(files.values())


def _walk(roots: Sequence[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Each folder once, with the names of files that may count; symlinks are not followed."""
    looked: set[Path] = set()
    waiting = [(root, 0) for root in roots]
    while waiting and len(looked) < MOST:
        folder, depth = waiting.pop(0)
        if folder in looked:
            continue
        looked.add(folder)
        names, folders = _listed(folder, _stamp(folder))
        yield folder, names
        if depth < DEEPEST:
            waiting += [(folder / name, depth + 1) for name in folders]


@lru_cache(maxsize=MOST)
def _listed(folder: Path, stamp: int) -> tuple[list[str], list[str]]:
    """Names of what may be a training or a model, and of folders; a data set has very many other files."""
    try:
        with os.scandir(folder) as found:
            entries = sorted((one for one in found if not one.is_symlink()), key=lambda one: one.name)
    except OSError:
        return [], []
    files = [one.name for one in entries if one.is_file() and (one.name == NAME or one.name.endswith(MODEL))]
    return files, [one.name for one in entries if one.is_dir() and not one.name.startswith(".")]


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4096)
def _run(path: Path, stamp: int) -> Run | None:
    """The training that a file tells of; None if it is some other file of that name."""
    try:
        return read_run(path)
    except (OSError, ValueError):
        return None


def name(folder: Path) -> str:
    """A training, by the folder that it was given and the number that it got there."""
    return f"{folder.parent.parent.name}/{folder.name}"


def model_name(path: Path) -> str:
    """A model file by its name, and by its training if it is in the folder of one."""
    folder = path.parent.parent
    return f"{name(folder)}: {path.name}" if folder.parent.name == LOGS else path.name


def run(folder: Path) -> Run | None:
    """The training whose record is in a folder; None if it has not ended, or there is none."""
    path = folder / NAME
    return _run(path, _stamp(path))


@lru_cache(maxsize=1024)
def _model(path: Path, stamp: int) -> ModelFile:
    try:
        about = path.stat()
        return ModelFile(path, about.st_size, about.st_mtime, read_spec(path), "")
    except (ModelError, OSError) as error:
        return ModelFile(path, 0, 0.0, None, str(error))


def model(path: Path) -> ModelFile:
    """One model file."""
    return _model(path, _stamp(path))


def frame_ms(profile: Path) -> float | None:
    """What a frame took when a model was profiled last, by profile.json; None if it never was."""
    return _frame_ms(profile, _stamp(profile))


@lru_cache(maxsize=1024)
def _frame_ms(profile: Path, stamp: int) -> float | None:
    try:
        return float(json.loads(profile.read_text(encoding="utf-8"))[0]["total_ms"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def weights(path: Path) -> Path:
    """Where ``export`` writes the weights of a model file, which ``explain`` needs."""
    return path.with_name(re.sub(r"(\.int8)?\.onnx$", ".safetensors", path.name))


@dataclass(frozen=True)
class Answers:
    """What a net answered to a few validation pictures, when it was last asked.

    Attributes:
        step: of the training.
        pictures: PNG files.
    """

    step: int
    pictures: tuple[bytes, ...]


def answers(folder: Path) -> Answers:
    """The last answers of a training; no pictures if there are none yet.

    Args:
        folder: of the run's TensorBoard files.
    """
    files = sorted(folder.glob("events.*"))
    return _answers(folder, sum(path.stat().st_size for path in files))


@lru_cache(maxsize=8)
def _answers(folder: Path, size: int) -> Answers:
    log = EventAccumulator(str(folder), size_guidance={"images": 1})  # of several, it keeps the last
    log.Reload()
    tags = sorted(tag for tag in log.Tags()["images"] if tag.startswith(ANSWERS_TAG))
    events = [log.Images(tag)[-1] for tag in tags]
    return Answers(
        max((event.step for event in events), default=0),
        tuple(event.encoded_image_string for event in events),
    )


def curves(folder: Path) -> Mapping[str, list[tuple[float, float]]]:
    """What a training logged: (step, value) of each name, at most POINTS of them spread over all.

    Args:
        folder: of the run's TensorBoard files.
    """
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    log.Reload()
    logged: dict[str, list[tuple[float, float]]] = {}
    for name in log.Tags()["scalars"]:
        events = log.Scalars(name)
        every = -(-len(events) // POINTS)
        logged[name] = [(float(event.step), float(event.value)) for event in events[::every]]
    return logged
