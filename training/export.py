"""Export: checkpoint in, model file out, provided that both say the same about real pictures."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxslim
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from perception.engines import open_engine
from perception.spec import METADATA_KEY, ModelSpec
from training.checkpoint import (
    own_parameters,
    read_checkpoint,
    require_same_split,
    restored,
    save_weights,
)
from training.datasets.images import DataError, require_labels
from training.graph import BATCH, ExportError, learnt_val
from training.segmentation.data import MaskData
from training.segmentation.graph import mask_model
from training.segmentation.task import MaskTask
from training.signs.data import SignData
from training.signs.graph import sign_model
from training.signs.task import SignTask

OPSET = 18
IR_VERSION = 9  # ONNX Runtime 1.16 and later
AGREEMENT = 0.999  # share of pictures, or of mask pixels, with the same class and as sure of it
TOLERANCE = 0.01  # of scores, known and confidence
SAMPLES = {"signs": 2000, "segmentation": 16}  # pictures to compare on


def export(
    checkpoint: Path,
    model: Path,
    *,
    data_root: Path | None = None,
    background: Path | None = None,
    calibration: Path | None = None,
    data: SignData | MaskData | None = None,
) -> ModelSpec:
    """Write a model file.

    Args:
        checkpoint: what ``fit`` wrote.
        model: the ``.onnx`` to write; the weights to start another training from go beside it, as
            ``.safetensors``.
        data_root: where the data set lies, if not where training found it. Its validation part calibrates the
            confidence, and on it PyTorch and ONNX Runtime are compared.
        background: where the pictures of background lie, likewise.
        calibration: the model file of a like net that has not learnt from the validation part, whose
            temperature and threshold to take. A net that has learnt from it, as ``train_on_val`` makes them,
            would think itself better than it is.
        data: what trained it, if that has been read already.

    Returns:
        The spec inside the file.

    Raises:
        ExportError: ONNX Runtime and PyTorch disagree, or the net gives no numbers; nothing was written.
        DataError: the checkpoint or the data set cannot be read or has other classes, or the calibration is
            none for such a net.
        ModelError: the file with the calibration cannot be used.
    """
    content = read_checkpoint(checkpoint)
    task, found = restore(content, data_root=data_root, background=background)
    data = data or found
    like = open_engine(calibration, device="cpu").spec if calibration else None
    if like and (like.task, like.labels) != (content["task"], task.labels):
        raise DataError(f"{calibration} is for other classes or another task than {checkpoint}")
    fitted = {"signs": {"temperature", "known_offset"}, "segmentation": {"temperature"}}
    if like and not fitted[like.task] <= like.calibration.keys():
        raise DataError(f"{calibration} lacks a calibration; give a model that this 'export' wrote")
    if learnt_val(task, data) and not like:
        print(
            "the net has learnt from the validation part, which cannot calibrate it: its scores stay as they "
            "are; give --calibration MODEL.onnx if a run without that part has made one"
        )
    data.setup()
    require_labels(tuple(data.labels), tuple(task.labels), data.root)
    require_same_split(data, content)
    if isinstance(task, SignTask):
        graph, fields = sign_model(task, data, like)
    else:
        graph, fields = mask_model(task, data, like)
    source = {
        "commit": commit(),
        "config": recipe(content),
        "steps": str(content["global_step"]),
        "seed": content["seed"],
        "kept_aside": data.kept_aside,
    }
    if isinstance(data, SignData) and data.background_kept_aside:
        source["background_kept_aside"] = data.background_kept_aside
    fields["metrics"] |= cost(task.net, data.size_hw)
    spec = ModelSpec(labels=task.labels, input_hw=data.size_hw, source=source, **fields)

    pictures = data.val.tensors[0]
    frames = pictures[:: max(1, len(pictures) // SAMPLES[spec.task])].permute(0, 2, 3, 1).contiguous()
    model.parent.mkdir(parents=True, exist_ok=True)
    unchecked = model.with_suffix(".unchecked")
    try:
        write(graph, spec, unchecked)
        agreement = compare(graph, unchecked, frames)
        if agreement < AGREEMENT:
            raise ExportError(
                f"ONNX Runtime and PyTorch agree on {agreement:.2%} of {len(frames)} validation pictures; "
                f"{AGREEMENT:.1%} are needed, so {model} was not written"
            )
        unchecked.replace(model)
        save_weights(task.net, model.with_suffix(".safetensors"), spec)
    finally:
        unchecked.unlink(missing_ok=True)
    print(f"{model}: agrees with PyTorch on {agreement:.3%} of {len(frames)} validation pictures")
    return spec


def restore(
    content: Mapping[str, Any], *, data_root: Path | None = None, background: Path | None = None
) -> tuple[SignTask | MaskTask, SignData | MaskData]:
    """Make the trained task and its data module again."""
    task_type, data_type = {"signs": (SignTask, SignData), "segmentation": (MaskTask, MaskData)}[
        content["task"]
    ]
    if background and data_type is MaskData:
        raise DataError("--background is for signs, and this checkpoint is of masks; leave it out")
    wanted = own_parameters(content["datamodule_hyper_parameters"])
    moved = {"root": data_root, "background": background}
    data = data_type(**(wanted | {name: str(path) for name, path in moved.items() if path}))
    return restored(task_type, content), data


def recipe(content: Mapping[str, Any]) -> str:
    """All parameters of task and data as JSON; of paths the last part, the rest is their owner's affair."""
    parameters = own_parameters(content["hyper_parameters"]) | own_parameters(
        content["datamodule_hyper_parameters"]
    )
    for name in ("root", "background", "start"):
        if parameters.get(name):
            parameters[name] = Path(parameters[name]).name
    if "teachers" in parameters:
        parameters["teachers"] = len(parameters["teachers"])
    return json.dumps(parameters)


@torch.no_grad()
def cost(net: nn.Module, size_hw: tuple[int, int]) -> dict[str, float]:
    """Parameters, and multiply-accumulates for one frame."""
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, *size_hw))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return {"parameters": float(parameters), "macs": counter.get_total_flops() / 2}


def write(graph: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Trace the graph with a dynamic batch, simplify it and put the spec inside."""
    outputs = {"signs": ["scores", "known"], "segmentation": ["mask", "confidence"]}[spec.task]
    # The exporter mentions every missing torchvision operator; none is used here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        graph,
        (torch.zeros(2, *spec.input_hw, 3, dtype=torch.uint8),),
        input_names=["frames"],
        output_names=outputs,
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes={"frames": {0: torch.export.Dim("N")}},
        verbose=False,
    )
    model = onnxslim.slim(program.model_proto)
    model.ir_version = min(model.ir_version, IR_VERSION)
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.save(model, path)


@torch.no_grad()
def compare(graph: nn.Module, path: Path, frames: Tensor) -> float:
    """Share of the pictures, or pixels, of which PyTorch and the written file say the same, and as surely.

    Args:
        graph: what was exported.
        path: the written file, opened as the car opens it.
        frames: (N, H, W, 3) uint8 BGR.
    """
    engine = open_engine(path, device="cpu")
    agree: list[NDArray[np.bool_]] = []
    for batch in frames.split(BATCH):
        theirs = engine.infer(batch.numpy())
        ours = {name: output.numpy() for name, output in zip(theirs, graph(batch), strict=True)}
        same, apart = differences(ours, theirs)
        agree.append(same & (apart <= TOLERANCE))
    return float(np.concatenate(agree).mean())


def differences(
    ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """How far the outputs of two models for the same frames are apart.

    Returns:
        Of each picture, or of each pixel, whether the class is the same, and by how much, in 0…1, scores and
        known, or confidence, differ at most.
    """
    if "mask" in ours:
        same = ours["mask"] == theirs["mask"]
        apart = np.abs(ours["confidence"].astype(np.int16) - theirs["confidence"]) / np.float32(255)
        return same.ravel(), apart.ravel()
    same = ours["scores"].argmax(axis=1) == theirs["scores"].argmax(axis=1)
    of_scores = np.abs(ours["scores"] - theirs["scores"]).max(axis=1)
    return same, np.maximum(of_scores, np.abs(ours["known"] - theirs["known"]))


def commit() -> str:
    """The git commit of the code that exports, ``unknown`` outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    root = Path(__file__).resolve().parent
    try:
        found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:  # no git at all
        return "unknown"
    return found.stdout.strip() or "unknown"
