"""What training keeps: checkpoints to go on from, and the weights beside a model file to start from."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning as L
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from perception.spec import ModelSpec
from training.datasets.images import LEARNT_VAL, DataError

PLACES = ("root", "start")  # parameters that may differ, where files have moved
LEARNT_FROM = ("background", "teachers")  # may lie elsewhere, but must be as many

Task = TypeVar("Task", bound=L.LightningModule)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that :mod:`training.fit` wrote.

    Raises:
        DataError: it is missing or something else.
    """
    if not path.is_file():
        raise DataError(f"no checkpoint at {path}; fit writes them to runs/…/checkpoints/last.ckpt")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is no checkpoint, or a damaged one; fit writes them to last.ckpt") from error
    if not isinstance(content, dict) or "task" not in content:
        raise DataError(f"{path} is no checkpoint of 'python -m training fit'")
    return content


def restored(task_type: type[Task], content: Mapping[str, Any]) -> Task:
    """The trained task again, ready to be asked."""
    task = task_type(**own_parameters(content["hyper_parameters"]))
    task.on_load_checkpoint(dict(content))
    task.load_state_dict(content["state_dict"])
    return task.eval()


def require_same_run(checkpoint: Path, model: L.LightningModule, datamodule: L.LightningDataModule) -> None:
    """Refuse to go on from a checkpoint with other settings than it began with.

    Raises:
        DataError: it is no checkpoint, or one of another task, or a setting differs.
    """
    content = read_checkpoint(checkpoint)
    if content["task"] != model.TASK:
        raise DataError(f"{checkpoint} is for {content['task']}, this run for {model.TASK}")
    for group, given, parameters in (
        ("model", model.hparams, content["hyper_parameters"]),
        ("data", datamodule.hparams, content["datamodule_hyper_parameters"]),
    ):
        for name, began in own_parameters(parameters).items():
            if name in given and _fixed(name, given[name]) != _fixed(name, began):
                raise DataError(
                    f"{checkpoint} began with --{group}.{name} {began}, this run says {given[name]}; "
                    "go on with the settings it began with, or start anew from its weights (--model.start)"
                )


def require_same_split(data: L.LightningDataModule, content: Mapping[str, Any]) -> None:
    """Refuse data with another validation part than the one that a training kept aside.

    Args:
        data: what is there, set up.
        content: of the checkpoint.

    Raises:
        DataError: it has; older checkpoints do not tell.
    """
    for name, root in (("kept_aside", "root"), ("background_kept_aside", "background")):
        found = getattr(data, name, None)
        if found and content.get(name) not in (None, found):
            raise DataError(
                f"pictures of {getattr(data, root)} were added, renamed or taken out since the training "
                "began (or a release before this one split them otherwise), and others would validate now, "
                "some that it has learnt from; restore the data set or train anew"
            )


def _fixed(name: str, value: Any) -> str | int | None:
    """What of a parameter must stay."""
    if name in PLACES:
        return None
    if name in LEARNT_FROM:
        return 1 if isinstance(value, str) else len(value or ())
    return json.dumps(value)


def own_parameters(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries that Lightning's command line adds for itself."""
    return {name: value for name, value in hyper_parameters.items() if not name.startswith("_")}


def save_weights(net: nn.Module, path: Path, spec: ModelSpec) -> None:
    """Write parameters and statistics in half precision: enough to start from, in half the space.

    Beside them stand the classes, and what the net has learnt from.
    """
    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in net.state_dict().items()
    }
    told = {
        "labels": json.dumps(spec.labels),
        "trained_on": spec.trained_on,
        "kept_aside": spec.source.get("kept_aside", ""),
    }
    path.write_bytes(save(halved, metadata=told))


def load_matching(
    net: nn.Module, path: Path, *, labels: Sequence[str], last: str, keeps_last_row: bool = False
) -> dict[str, str]:
    """Load what has the name and shape of something in the net, and say on the terminal what starts anew.

    Args:
        net: to load into.
        path: what :func:`save_weights` wrote.
        labels: the net's classes; the last layer starts anew if the file's are others.
        last: name of the last layer.
        keeps_last_row: the last layer's last row means the same in both nets, and is kept all the same.

    Returns:
        What the file tells of itself.

    Raises:
        DataError: the file is missing or damaged, or nothing in it fits.
    """
    try:
        weights = load_file(path)
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
        theirs = json.loads(told.get("labels", "null"))
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(
            f"cannot start from {path}: {error}; fit and export write one beside the .onnx"
        ) from error
    own = net.state_dict()
    # Older files name no classes.
    is_same = theirs in (None, list(labels))
    fitting = {
        name: w
        for name, w in weights.items()
        if name in own and own[name].shape == w.shape and (is_same or not name.startswith(f"{last}."))
    }
    if not any(w.ndim > 1 for w in fitting.values()):  # counters and biases fit many a net
        raise DataError(f"cannot start from {path}: it holds the weights of another net")
    net.load_state_dict(fitting, strict=False)
    anew = {name: name for name in sorted(own.keys() - fitting.keys())}
    for name in anew:
        is_last = name.startswith(f"{last}.") and name in weights
        if keeps_last_row and is_last and own[name].shape[1:] == weights[name].shape[1:]:
            own[name][-1] = weights[name][-1]
            anew[name] += " but its last row"
    print(f"starts from {path}" + (f"; anew: {', '.join(anew.values())}" if anew else ""))
    return told


def warn_of_learnt(told: Mapping[str, str], data_set: str, *, kept_aside: str) -> bool:
    """Say on the terminal if weights to start from have learnt from pictures that validate now.

    Args:
        told: what :func:`load_matching` returned; older files tell less.
        data_set: name of the one to train on.
        kept_aside: fingerprint of its validation part.

    Returns:
        Whether they have, or may have.
    """
    trained_on, theirs = told.get("trained_on", ""), told.get("kept_aside", "")
    is_same_set, is_same_part = trained_on.startswith(f"{data_set}, "), theirs == kept_aside
    learnt_all = LEARNT_VAL in trained_on and (is_same_set or is_same_part)
    if learnt_all and not is_same_set:
        print("these weights have learnt from pictures named as those that validate here, perhaps the same")
        return True
    if learnt_all or (is_same_set and theirs and not is_same_part):
        print(
            "these weights have learnt from pictures that validate here: all that is measured on them will "
            "read better than it is"
        )
        return True
    return False
