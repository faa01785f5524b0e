"""What training keeps: checkpoints to go on from, and the weights beside a model file to start from."""

from __future__ import annotations

import inspect
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

from perception.paths import is_lfs_pointer, lfs_remedy, writing
from perception.spec import ModelSpec, Provenance
from training.datasets.images import DataError
from training.datasets.text import plain
from training.run import flat
from training.split import from_metadata, to_metadata

NAME = "last.ckpt"  # as fit calls them
PATHS = ("root", "start")  # parameters that may differ, because files may have moved
LEARNT_FROM = ("background", "exclude", "rooms", "signs", "teachers")  # may be elsewhere, but must be as many
EARLIER = "the checkpoint is of an earlier release, with parameters that are gone ({})"

Task = TypeVar("Task", bound=L.LightningModule)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint that :mod:`training.fit` wrote.

    Raises:
        DataError: it is missing or something else.
    """
    if path.is_dir():
        found = sorted(path.rglob("*.ckpt"))
        raise DataError(
            f"{path} is a folder; give the checkpoint in it, such as {found[0] if found else NAME}"
        )
    if not path.is_file():
        raise DataError(f"no checkpoint at {path}; fit writes them to runs/…/checkpoints/{NAME}")
    if is_lfs_pointer(path):
        raise DataError(f"{path} {lfs_remedy()}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is no checkpoint, or a damaged one; fit writes them to last.ckpt") from error
    if not isinstance(content, dict) or "task" not in content:
        raise DataError(f"{path} is no checkpoint of 'python -m training fit'")
    return content


def restored(task_type: type[Task], content: Mapping[str, Any]) -> Task:
    """The trained task again, ready for use.

    Raises:
        DataError: an earlier release wrote the checkpoint, with other parameters.
    """
    given = own_parameters(content.get("hyper_parameters", {}))
    if gone := given.keys() - inspect.signature(task_type).parameters.keys():
        raise DataError(f"{EARLIER.format(', '.join(sorted(gone)))}; export it with that release")
    task = task_type(**given)
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
        now = flat(given)
        for name, began in flat(own_parameters(parameters)).items():
            if name not in now:
                raise DataError(
                    f"{checkpoint}: {EARLIER.format(name)}; start anew from its weights (--model.start)"
                )
            if _fixed(name, now[name]) != _fixed(name, began):
                raise DataError(
                    f"{checkpoint} began with --{group}.{name} {began}, this run says {now[name]}; "
                    "go on with the settings it began with, or start anew from its weights (--model.start)"
                )


def _fixed(name: str, value: Any) -> str | int | None:
    """What of a parameter must stay."""
    last = name.rpartition(".")[2]
    if last in PATHS:
        return None
    if last in LEARNT_FROM:
        return 1 if isinstance(value, str) else len(value or ())
    return json.dumps(value)


def own_parameters(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries that Lightning's command line adds for itself."""
    return {name: value for name, value in hyper_parameters.items() if not name.startswith("_")}


def save_weights(net: nn.Module, path: Path, spec: ModelSpec) -> None:
    """Write parameters and statistics in half precision: enough to start from, in half the space.

    Beside them are the classes, and what the net has learnt from.
    """
    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in net.state_dict().items()
    }
    with writing(path):
        path.write_bytes(save(halved, metadata=to_metadata(spec)))


def load_matching(
    net: nn.Module, path: Path, *, labels: Sequence[str], last: str, keeps_last_row: bool = False
) -> tuple[Provenance, bool]:
    """Load what has the name and shape of something in the net, and say on the terminal what starts anew.

    Args:
        net: to load into.
        path: what :func:`save_weights` wrote.
        labels: the net's classes; the last layer starts anew if the file's are others.
        last: name of the last layer.
        keeps_last_row: the last layer's last row means the same in both nets, and is kept all the same.

    Returns:
        What these weights have learnt from, and whether they are all that the net needs.

    Raises:
        DataError: the file is missing or damaged, or nothing in it fits.
    """
    if path.is_dir():
        raise DataError(f"cannot start from {path}: it is a folder; give the .safetensors in it")
    try:
        if is_lfs_pointer(path):
            raise DataError(f"cannot start from {path}, because it {lfs_remedy()}")
        weights = load_file(path)
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
        theirs = json.loads(metadata.get("labels", "null"))
        learnt_from = from_metadata(metadata)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(
            f"cannot start from {path}: {error}; fit and export write one beside the .onnx"
        ) from error
    own = net.state_dict()
    # Older files name no classes.
    is_same = theirs is None or [plain(str(name)) for name in theirs] == [plain(name) for name in labels]
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
    return learnt_from, not anew
