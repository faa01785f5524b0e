"""Export: checkpoint in, model file out, provided that both say the same about real pictures."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxslim
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from perception import tasks as runtime
from perception.engines import open_engine
from perception.paths import writing
from perception.spec import METADATA_KEY, ModelSpec
from training.checkpoint import own_parameters, read_checkpoint, restored, save_weights
from training.comparison import Comparison
from training.datasets.images import DataError, require_labels
from training.graph import BATCH, ExportError, outputs
from training.split import learnt, provenance, require_same_split
from training.tasks import column, parameters

OPSET = 18
IR_VERSION = 9  # ONNX Runtime 1.16 and later
AGREEMENT = 0.999  # share of pictures, or of mask pixels, with the same class and as sure of it
TOLERANCE = 0.01  # of how sure both are, as ``Comparison.differences`` gives it


def export(
    checkpoint: Path,
    model: Path,
    *,
    data_root: Path | None = None,
    background: Path | None = None,
    calibration: Path | None = None,
    data: Any = None,
) -> ModelSpec:
    """Write a model file.

    Args:
        checkpoint: what ``fit`` wrote.
        model: the ``.onnx`` to write; the weights to start another training from go beside it, as
            ``.safetensors``.
        data_root: where the data set is, if not where training read it. Its validation part calibrates the
            confidence, and on it PyTorch and ONNX Runtime are compared.
        background: where the pictures of background are, likewise.
        calibration: a model file of a similar net that has not learnt from the validation part, whose
            calibration to take. A net that has learnt from it, as ``train_on_val`` makes them, would think
            itself better than it is.
        data: the data module that trained it, if that has been read already.

    Returns:
        The spec inside the file.

    Raises:
        ExportError: ONNX Runtime and PyTorch disagree, or the net gives no numbers; nothing was written.
        DataError: the checkpoint or the data set cannot be read or has other classes, or the calibration is
            none for such a net.
        ModelError: the file with the calibration cannot be used, or training does not know the task.
    """
    content = read_checkpoint(checkpoint)
    module, own_data = restore(content, data_root=data_root, background=background)
    data = data or own_data
    comparison: Comparison = column(content["task"], "comparison")
    like = open_engine(calibration, device="cpu").spec if calibration else None
    if like:
        require_similar(like, module, comparison, f"{calibration}", f"{checkpoint}")
    elif learnt(module, data):
        print(
            "the net has learnt from the validation part, so that part cannot calibrate it: its scores stay "
            "as they are; give --calibration MODEL.onnx if a run without that part has made one"
        )
    data.setup()
    require_labels(tuple(data.labels), tuple(module.labels), data.root)
    require_same_split(data, content)
    graph, spec = make_graph(content, module, data, like)
    frames = samples(data, comparison.samples)
    agreement = write_checked(graph, spec, model, frames)
    save_weights(module.net, model.with_suffix(".safetensors"), spec)
    pictures = sum(map(len, frames))
    print(f"{model}: agrees with PyTorch on {agreement:.3%} of {pictures} validation pictures")
    return spec


def samples(data: Any, count: int) -> Sequence[Tensor]:
    """About so many validation pictures in batches (N, H, W, 3) uint8 BGR.

    Args:
        data: the data module of a task, set up.
        count: of pictures.
    """
    if hasattr(data, "samples"):  # they have several sizes
        own: Sequence[Tensor] = data.samples(count)
        return own
    pictures: Tensor = data.val.tensors[0]
    chosen = pictures[:: max(1, len(pictures) // count)].permute(0, 2, 3, 1).contiguous()
    return torch.split(chosen, BATCH)


def restore(
    content: Mapping[str, Any], *, data_root: Path | None = None, background: Path | None = None
) -> tuple[Any, Any]:
    """Make the trained module and its data module again.

    Raises:
        DataError: the data module takes no background.
        WrongTaskError: training does not know the task of the checkpoint.
    """
    data_type = column(content["task"], "data")
    if background and "background" not in parameters(data_type):
        raise DataError(f"--background is not for checkpoints of the task {content['task']!r}; leave it out")
    wanted = own_parameters(content["datamodule_hyper_parameters"])
    moved = {"root": data_root, "background": background}
    data = data_type(**(wanted | {name: str(path) for name, path in moved.items() if path}))
    return restored(column(content["task"], "module"), content), data


def make_graph(
    content: Mapping[str, Any], module: Any, data: Any, like: ModelSpec | None
) -> tuple[nn.Module, ModelSpec]:
    """What goes into the model file: the task's graph, and the spec.

    Args:
        content: of the checkpoint.
        module: the trained module.
        data: its data module, set up.
        like: a spec whose calibration to take.
    """
    graph, fields = column(content["task"], "graph")(module, data, like)
    spec = ModelSpec(
        task=content["task"],
        labels=module.labels,
        input_hw=data.size_hw,
        provenance=provenance(module, data),
        source=source(content),
        **fields,
    )
    return graph, replace(spec, metrics={**spec.metrics, **cost(module.net, spec.padded(spec.input_hw))})


def require_similar(
    like: ModelSpec, module: Any, comparison: Comparison, calibration: str, checkpoint: str
) -> None:
    """Refuse to take the calibration of another kind of model.

    Args:
        like: the spec of the model that lends its calibration.
        module: the trained module that borrows it.
        comparison: of the module's task.
        calibration: the first one's file, for error messages.
        checkpoint: the second one's, likewise.

    Raises:
        DataError: the model has another task or other classes, or no such calibration.
    """
    if (like.task, like.labels) != (module.TASK, module.labels):
        raise DataError(f"{calibration} is for other classes or another task than {checkpoint}")
    if not comparison.fitted <= like.calibration.keys():
        raise DataError(f"{calibration} lacks a calibration; give a model that this 'export' wrote")


def source(content: Mapping[str, Any]) -> dict[str, str]:
    """How to make the model again."""
    return {
        "commit": commit(),
        "config": recipe(content),
        "steps": str(content["global_step"]),
        "seed": str(content.get("seed", "none")),
    }


def recipe(content: Mapping[str, Any]) -> str:
    """All parameters of module and data as JSON."""
    groups = ("hyper_parameters", "datamodule_hyper_parameters")
    return json.dumps(_without_paths({k: v for g in groups for k, v in own_parameters(content[g]).items()}))


def _without_paths(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of paths the last part, of teachers and rooms their number: the rest is the owner's affair."""
    own: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            own[name] = _without_paths(value)
        elif name in ("root", "background", "exclude", "signs", "start") and value:
            own[name] = Path(value).name
        else:
            own[name] = len(value) if name in ("rooms", "teachers") else value
    return own


@torch.no_grad()
def cost(net: nn.Module, size_hw: tuple[int, int]) -> dict[str, float]:
    """Parameters, and multiply-accumulates for one frame."""
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, *size_hw))
    weights = sum(parameter.numel() for parameter in net.parameters())
    return {"parameters": float(weights), "macs": counter.get_total_flops() / 2}


def write_checked(graph: nn.Module, spec: ModelSpec, model: Path, frames: Sequence[Tensor]) -> float:
    """Write the model file if it agrees with the graph on batches of frames (N, H, W, 3).

    Returns:
        The share of the pictures, or pixels, in which both agree.

    Raises:
        ExportError: they disagree; nothing was written.
    """
    model.parent.mkdir(parents=True, exist_ok=True)
    unchecked = model.with_suffix(".unchecked")
    try:
        write(graph, spec, unchecked)
        agreement = compare(graph, unchecked, frames)
        if agreement < AGREEMENT:
            raise ExportError(
                f"ONNX Runtime and PyTorch agree on {agreement:.2%} of {sum(map(len, frames))} validation "
                f"pictures; {AGREEMENT:.1%} are needed, so {model} was not written"
            )
        unchecked.replace(model)
    finally:
        unchecked.unlink(missing_ok=True)
    return agreement


def write(graph: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Trace the graph with free axes, simplify it and put the spec inside.

    The number of frames is free; or, if the spec has a stride, height and width of the only frame.
    """
    # The exporter mentions every missing torchvision operator; none is used here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    free: dict[int, Any] = {0: torch.export.Dim("N")}
    if spec.stride:
        free = {1: spec.stride * torch.export.Dim("rows"), 2: spec.stride * torch.export.Dim("columns")}
    frames = torch.zeros(1 if spec.stride else 2, *spec.padded(spec.input_hw), 3, dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (frames,),
        input_names=["frames"],
        output_names=list(runtime.TASKS[spec.task].outputs),
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes={"frames": free},
        verbose=False,
    )
    assert program is not None, "dynamo=True gives a program"
    model = onnxslim.slim(program.model_proto)
    model.ir_version = min(model.ir_version, IR_VERSION)
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    with writing(path):
        onnx.save(model, path)


@torch.no_grad()
def compare(graph: nn.Module, path: Path, frames: Sequence[Tensor]) -> float:
    """Share of the pictures, or pixels, of which PyTorch and the written file say the same, and as surely.

    Args:
        graph: what was exported; one output, or a tuple of them.
        path: the written file, opened as the car opens it.
        frames: batches (N, H, W, 3) uint8 BGR.
    """
    engine = open_engine(path, device="cpu")
    comparison: Comparison = column(engine.spec.task, "comparison")
    agree: list[NDArray[np.bool_]] = []
    for batch in frames:
        theirs = engine.infer(batch.numpy())
        same, apart = comparison.differences(outputs(graph, engine.spec.task, batch), theirs)
        agree.append(same & (apart <= TOLERANCE))
    return float(np.concatenate(agree).mean())


def commit() -> str:
    """The git commit of the code that exports, ``unknown`` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    root = Path(__file__).resolve().parent
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:  # no git at all
        return "unknown"
    return done.stdout.strip() or "unknown"
