"""Models: which model files a command opens, by its options."""

from __future__ import annotations

import argparse
from pathlib import Path

import perception
from perception.errors import InputError, WrongTaskError
from perception.model import Model
from perception.paths import shared
from perception.reader import BOXES_FROM, BoxesFrom
from perception.tasks import TASKS, resolve, shipped

_NONE = "none"


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose models."""
    for task in shipped():
        parser.add_argument(
            f"--{task}",
            metavar="MODEL",
            help=f"model for {task}; 'none' leaves {task} out (default: the shipped one)",
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
    path = Path(given) if given is not None else shared(f"models/{TASKS[task].file}")
    model = perception.load(path, device=device)
    if model.spec.task != task:
        model.close()
        is_finder = model.spec.task not in shipped()
        raise WrongTaskError(
            f"{path}: a model for {model.spec.task!r} cannot serve as {option}; "
            f"give it to --{'detector' if is_finder else model.spec.task}"
        )
    return model
