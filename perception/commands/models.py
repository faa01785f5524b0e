"""Models: which model files a command opens, by its options."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import perception
from perception.engines import read_spec
from perception.errors import InputError, WrongTaskError
from perception.model import Model
from perception.paths import model_file
from perception.reader import BOXES_FROM, BoxesFrom
from perception.tasks import TASKS, resolve, shipped

_log = logging.getLogger(__name__)
_NONE = "none"
_QUANTIZED = ".int8.onnx"


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose models."""
    for task in shipped():
        parser.add_argument(
            f"--{task}",
            metavar="MODEL",
            help=f"model for {task}: a file, or a shipped one's name; 'none' leaves {task} out (default: "
            f"{TASKS[task].file.removesuffix('.onnx')})",
        )
    parser.add_argument(
        "--detector", metavar="MODEL", type=Path, help="what finds signs in frames (default: the shipped one)"
    )


def add_boxes(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where boxes come from."""
    parser.add_argument(
        "--boxes",
        choices=BOXES_FROM,
        help="signs are found in frames, are in boxes of the bag, or fill whole frames (default: detector)",
    )
    parser.add_argument(
        "--rois", metavar="TOPIC", help="topic of the bag's boxes, for --boxes rois (default: ends in rois)"
    )


def boxes_from(options: argparse.Namespace) -> BoxesFrom:
    """Where boxes come from; a topic of boxes says it, too.

    Raises:
        InputError: the options contradict each other.
    """
    given: BoxesFrom | None = options.boxes
    if options.rois == _NONE:
        raise InputError("--rois none is no more; --boxes frame takes each frame as one sign")
    if options.rois is not None and given not in (None, "rois"):
        raise InputError(f"--rois gives the topic of boxes that --boxes {given} does not take; leave one out")
    chosen: BoxesFrom = given or ("detector" if options.rois is None else "rois")
    if options.detector is not None and chosen != "detector":
        raise InputError(f"--detector finds boxes that --boxes {chosen} does not take; leave one out")
    return chosen


def open_models(options: argparse.Namespace, boxes: BoxesFrom) -> list[Model]:
    """Open the model of each task, the given one or the shipped one, with what finds its boxes.

    Raises:
        ModelError: a file cannot be used, or is for another task.
        InputError: all are left out, or a shipped one is missing.
    """
    models = []
    for name, task in shipped().items():
        given = getattr(options, name)
        if given == _NONE:
            continue
        model = _open(given, name, f"--{name}", options.device)
        if boxes == "detector" and task.finder:
            finder = _open(options.detector, task.finder, "--detector", options.device)
            model = resolve(task.reader)(finder, model)
        models.append(model)
    if not models:
        raise InputError("all models are 'none', so there is nothing to run")
    return models


def _open(given: str | Path | None, task: str, option: str, device: str) -> Model:
    path = model_file(given or "", TASKS[task].file)
    model = perception.load(path, device=device)
    if model.spec.task != task:
        model.close()
        is_finder = model.spec.task not in shipped()
        raise WrongTaskError(
            f"{path}: a model for {model.spec.task!r} cannot serve as {option}; "
            f"give it to --{'detector' if is_finder else model.spec.task}"
        )
    return model


@dataclass(frozen=True)
class Pair:
    """Two models of one task, opened.

    Attributes:
        task: the task.
        models: of the first set and the second.
        names: their files.
    """

    task: str
    models: tuple[Model, Model]
    names: tuple[str, str]


def open_pairs(options: argparse.Namespace, boxes: BoxesFrom) -> list[Pair]:
    """Open the two models of each task that both of ``options.models`` have.

    What neither of the two has beside it, such as a detector, is the given one or the shipped one, for both.

    Raises:
        ModelError: a file cannot be used.
        InputError: they have no task in common, or an option contradicts them.
    """
    sets = [files_by_task(model_file(given, "")) for given in options.models]
    pairs: list[Pair] = []
    for name, task in shipped().items():
        given = getattr(options, name)
        parts = [name, task.finder] if boxes == "detector" and task.finder else [name]
        common = [part for part in parts if all(part in files for files in sets)]
        if given == _NONE:
            continue
        if not common:
            for files in sets:
                if found := [str(files[part]) for part in parts if part in files]:
                    _log.warning("%s: not compared, because the other one has none", ", ".join(found))
            continue
        if given is not None and any(name in files for files in sets):
            raise InputError(f"--{name} gives what is in --models already; leave one out")
        if options.detector is not None and any(task.finder in files for files in sets):
            raise InputError("--detector gives what is in --models already; leave one out")
        models, names = zip(*(_open_side(options, files, parts) for files in sets), strict=True)
        pairs.append(Pair(name, models, names))
    if not pairs:
        first, second = options.models
        raise InputError(
            f"{first} and {second} have no task in common: {_listed(sets[0])} and {_listed(sets[1])}"
        )
    return pairs


def files_by_task(path: Path) -> Mapping[str, Path]:
    """The model files of a folder by their tasks, or one model file.

    Of NAME.onnx and NAME.int8.onnx in one folder, the first is taken.

    Raises:
        ModelError: a file is missing or has no usable spec.
        InputError: the folder has no model, or several for one task.
    """
    if not path.is_dir():
        return {read_spec(path).task: path}
    found = sorted(path.glob("*.onnx"))
    files = [file for file in found if _plain(file) not in found or not file.name.endswith(_QUANTIZED)]
    if not files:
        raise InputError(f"{path}: no model (.onnx) in it; give a model file, or the folder that has it")
    by_task: dict[str, Path] = {}
    for file in files:
        task = read_spec(file).task
        if task in by_task:
            raise InputError(
                f"{path}: two models for {task}, {by_task[task].name} and {file.name}; give the file itself"
            )
        by_task[task] = file
    return by_task


def _plain(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(_QUANTIZED) + ".onnx")


def _open_side(options: argparse.Namespace, files: Mapping[str, Path], parts: list[str]) -> tuple[Model, str]:
    """The model of one set, with what finds its boxes where it reads boxes."""
    name, *finders = parts
    paths = {part: files.get(part) for part in parts}
    paths[name] = paths[name] or getattr(options, name)
    model = _open(paths[name], name, f"--{name}", options.device)
    for finder in finders:
        paths[finder] = paths[finder] or options.detector
        found = _open(paths[finder], finder, "--detector", options.device)
        model = resolve(TASKS[name].reader)(found, model)
    return model, ", ".join(str(path) if path else f"{part} (shipped)" for part, path in paths.items())


def _listed(files: Mapping[str, Path]) -> str:
    return ", ".join(f"{task} ({path.name})" for task, path in files.items())
