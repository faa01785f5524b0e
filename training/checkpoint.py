"""What training keeps: checkpoints to go on from, and the weights beside a model file to start from."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning as L
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from training.data.images import DataError

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


def own_parameters(hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries that Lightning's command line adds for itself."""
    return {name: value for name, value in hyper_parameters.items() if not name.startswith("_")}


def save_weights(net: nn.Module, path: Path) -> None:
    """Write parameters and statistics in half precision: enough to start from, in half the space."""
    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in net.state_dict().items()
    }
    path.write_bytes(save(halved))


def load_matching(net: nn.Module, path: Path, *, last_rows: Sequence[str] = ()) -> None:
    """Load what has the name and shape of something in the net, and say on the terminal what starts anew.

    Args:
        net: to load into.
        path: what :func:`save_weights` wrote.
        last_rows: names of parameters whose last row means the same in both nets, and is kept where the rest
            starts anew.

    Raises:
        DataError: the file is missing or damaged, or nothing in it fits.
    """
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot start from {path}: {error}; export writes one beside the .onnx") from error
    own = net.state_dict()
    fitting = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
    if not fitting:
        raise DataError(f"cannot start from {path}: it holds the weights of another net")
    net.load_state_dict(fitting, strict=False)
    anew = {name: name for name in sorted(own.keys() - fitting.keys())}
    for name in anew.keys() & set(last_rows) & weights.keys():
        if own[name].shape[1:] == weights[name].shape[1:]:
            own[name][-1] = weights[name][-1]
            anew[name] += " but its last row"
    print(f"starts from {path}" + (f"; anew: {', '.join(anew.values())}" if anew else ""))
