"""Opened: a trained net as PyTorch runs it, out of a checkpoint or out of weights beside a model file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from perception.engines import read_spec
from perception.paths import is_lfs_pointer, lfs_remedy
from perception.spec import ModelSpec, Provenance
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError, require_labels
from training.datasets.text import plain
from training.export import recipe, restore
from training.graph import wheel
from training.split import from_metadata
from training.tasks import column

CHECKPOINT, WEIGHTS, MODEL = ".ckpt", ".safetensors", ".onnx"
ELSEWHERE = ("start", "distillation")  # parameters of a task that name files of the training


@dataclass(frozen=True)
class Opened:
    """A trained net.

    Attributes:
        path: of the file with its weights.
        module: the task's LightningModule, ready for use.
        spec: its classes and size, and what its training said of itself. What the export fits to a net
            (temperature, thresholds) is only there if it comes from a model file.
    """

    path: Path
    module: Any
    spec: ModelSpec


def open_net(path: Path) -> Opened:
    """Open a net for work that needs gradients, which model files do not give.

    Args:
        path: a ``.ckpt`` of ``fit``; or the ``.safetensors`` or ``.onnx`` of a pair that ``export`` wrote,
            where the weights come from the first, and classes and size from the second.

    Raises:
        DataError: a file is missing or damaged, or the two are of different nets.
        ModelError: the model file cannot be used.
        WrongTaskError: training does not know the task.
    """
    if path.suffix in (WEIGHTS, MODEL):
        return _of_pair(path.with_suffix(WEIGHTS), path.with_suffix(MODEL))
    return _of_checkpoint(path)


def _of_checkpoint(path: Path) -> Opened:
    content = read_checkpoint(path)
    module, data = restore(content)
    labels = tuple(module.labels)
    spec = ModelSpec(
        content["task"],
        labels,
        getattr(module, "palette", wheel(len(labels))),
        (int(data.size_hw[0]), int(data.size_hw[1])),
        provenance=Provenance(
            kept_aside=content.get("kept_aside") or "",
            learnt_val=bool(data.train_on_val or module.start_learnt_val),
        ),
        source={"config": recipe(content)},
        stride=getattr(data, "stride", 0),
        enlarge_to=getattr(data, "enlarge_to", 0),
    )
    return Opened(path, module, spec)


def _of_pair(weights: Path, model: Path) -> Opened:
    for one, other in ((weights, model), (model, weights)):
        if not one.is_file():
            raise DataError(
                f"there is no {one}; the weights ({WEIGHTS}) and the model file ({MODEL}) are needed, side "
                f"by side as export writes them, to use {other.name}; or give a {CHECKPOINT} of fit"
            )
        if is_lfs_pointer(one):
            raise DataError(f"{one} {lfs_remedy()}")
    spec = read_spec(model)
    task_type = column(spec.task, "module")
    try:
        config = json.loads(spec.source.get("config", "{}"))
        state = load_file(weights)
        with safe_open(weights, "pt") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
        labels = json.loads(metadata.get("labels", "null"))
        provenance = from_metadata(metadata)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{weights} cannot be read: {error}; fit and export write one") from error
    if labels is not None:
        require_labels(tuple(plain(str(label)) for label in labels), spec.labels, weights)
    known = inspect.signature(task_type).parameters.keys()
    module = task_type(**{k: v for k, v in config.items() if k in known and k not in ELSEWHERE})
    module.remake({"labels": spec.labels, "palette": spec.palette})
    try:
        module.net.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(
            f"{weights} holds the weights of another net than {model} was made from; give a pair that export "
            "wrote together"
        ) from error
    # The model file may be of a later run that has learnt from all pictures; the weights say what they know.
    return Opened(weights, module.eval(), replace(spec, provenance=provenance))


def parts(net: Opened) -> Iterator[Path]:
    """The files that a net was opened from."""
    yield net.path
    if net.path.suffix == WEIGHTS:
        yield net.path.with_suffix(MODEL)
