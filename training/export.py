"""Export: checkpoint in, model file out, provided that both say the same about real pictures.

All that lies between camera bytes and results goes into the graph, so training and the car cannot disagree.
"""

from __future__ import annotations

import colorsys
import json
import logging
import math
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
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from perception.engine import open_engine
from perception.spec import METADATA_KEY, UNLABELLED, Color, ModelSpec
from training.calibrate import fit_offsets, fit_temperature
from training.checkpoint import own_parameters, read_checkpoint, restored, save_weights
from training.data.images import LEARNT_VAL, DataError
from training.data.segmentation import MaskData
from training.data.signs import SignData
from training.tasks.segmentation import MaskTask
from training.tasks.signs import SignTask, known_logit

OPSET = 18
IR_VERSION = 9  # ONNX Runtime 1.16 and later, TensorRT 8.6 and later
AGREEMENT = 0.999  # share of top-1 classes, or of mask pixels
SAMPLES = {"signs": 2000, "segmentation": 16}  # pictures to compare on
ACCEPTED_SIGNS = 0.99  # share of the validation signs that the threshold of ``known`` lets through
PIXEL_STRIDE = 37  # calibration needs no more pixels than every 37th
SHIFT_PICTURES = 128  # training pictures that tell how the classes' logits should be shifted


class ExportError(Exception):
    """The model is not fit to be exported; nothing was written."""


class SignGraph(nn.Module):
    """uint8 frames (N, H, W, 3) BGR to scores (N, K) and known (N,)."""

    def __init__(self, net: nn.Module, *, temperature: float, known_offset: float | None) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature
        self.known_offset = known_offset

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.results(self.net(as_batch(frames)))

    def results(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K + 1) logits to scores and known."""
        scores = (logits[:, :-1] / self.temperature).softmax(dim=1)
        if self.known_offset is None:  # no background to learn from: the largest score must do
            return scores, scores.amax(dim=1)
        # The same as sigmoid(known_logit(logits) - known_offset), without the logarithm of nothing.
        top = logits.softmax(dim=1)[:, :-1].amax(dim=1)
        return scores, top / (top + (1.0 - top) * math.exp(self.known_offset))


class MaskGraph(nn.Module):
    """uint8 frames (N, H, W, 3) BGR to mask (N, H, W) uint8 and confidence (N, H, W) uint8 in 0…255."""

    def __init__(self, net: nn.Module, *, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.net(as_batch(frames))
        top = logits.amax(dim=1, keepdim=True)
        # The largest of the softmax, without the softmax: that takes a fifth of ONNX Runtime's time on a CPU.
        confidence = 1.0 / ((logits - top) / self.temperature).exp().sum(dim=1)
        return logits.argmax(dim=1).to(torch.uint8), (confidence * 255.0).to(torch.uint8)


def as_batch(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32, in this order: TensorRT computes nothing in uint8."""
    return frames.float().permute(0, 3, 1, 2)


def export(
    checkpoint: Path, model: Path, *, data_root: Path | None = None, calibration: Path | None = None
) -> ModelSpec:
    """Write a model file.

    Args:
        checkpoint: what ``fit`` wrote.
        model: the ``.onnx`` to write; the weights to start another training from go beside it, as
            ``.safetensors``.
        data_root: where the data set lies, if not where training found it. Its validation part calibrates the
            confidence, and on it PyTorch and ONNX Runtime are compared.
        calibration: the model file of a like net that has not learnt from the validation part, whose
            temperature and threshold to take. A net that has learnt from it, as ``train_on_val`` makes them,
            would think itself better than it is.

    Returns:
        The spec inside the file.

    Raises:
        ExportError: ONNX Runtime and PyTorch disagree, or the net gives no numbers; nothing was written.
        DataError: the checkpoint or the data set cannot be read, or the calibration is none for such a net.
        ModelError: the file with the calibration cannot be used.
    """
    content = read_checkpoint(checkpoint)
    task, data = restore(content, data_root=data_root)
    like = open_engine(calibration, device="cpu").spec if calibration else None
    if like and (like.task, like.labels) != (content["task"], task.labels):
        raise DataError(f"{calibration} is for other classes or another task than {checkpoint}")
    if like and "temperature" not in like.calibration:
        raise DataError(f"{calibration} holds no calibration; give a model that 'export' wrote")
    if data.train_on_val and not like:
        print(
            "the net has learnt from the validation part, which cannot calibrate it: its scores stay as they "
            "are; give --calibration MODEL.onnx if a run without that part has made one"
        )
    data.setup()
    if isinstance(task, SignTask):
        graph, fields = sign_model(task, data, like)
    else:
        graph, fields = mask_model(task, data, like)
    source = {
        "commit": commit(),
        "config": recipe(content),
        "steps": str(content["global_step"]),
        "seed": content["seed"],
    }
    fields["metrics"] |= cost(task.net, data.size_hw)
    spec = ModelSpec(labels=task.labels, input_hw=data.size_hw, source=source, **fields)

    pictures = data.val.tensors[0]
    frames = pictures[:: max(1, len(pictures) // SAMPLES[spec.task])].permute(0, 2, 3, 1).contiguous()
    model.parent.mkdir(parents=True, exist_ok=True)
    unchecked = model.with_suffix(".unchecked")
    try:
        write(graph, spec, frames[:2], unchecked)
        agreement = compare(graph, unchecked, frames, batch_size=data.batch_size)
        if agreement < AGREEMENT:
            raise ExportError(
                f"ONNX Runtime and PyTorch agree on {agreement:.2%} of {len(frames)} validation pictures; "
                f"{AGREEMENT:.1%} are needed, so {model} was not written"
            )
        unchecked.replace(model)
        save_weights(task.net, model.with_suffix(".safetensors"))
    finally:
        unchecked.unlink(missing_ok=True)
    print(f"{model}: agrees with PyTorch on {agreement:.3%} of {len(frames)} validation pictures")
    return spec


def restore(
    content: Mapping[str, Any], *, data_root: Path | None
) -> tuple[SignTask | MaskTask, SignData | MaskData]:
    """Make the trained task and its data module again."""
    task_type, data_type = {"signs": (SignTask, SignData), "segmentation": (MaskTask, MaskData)}[
        content["task"]
    ]
    wanted = own_parameters(content["datamodule_hyper_parameters"])
    data = data_type(**(wanted | ({"root": str(data_root)} if data_root else {})))
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
def sign_model(task: SignTask, data: SignData, like: ModelSpec | None) -> tuple[SignGraph, dict[str, Any]]:
    """Calibrate a classifier on the validation crops, or like another one."""
    classes = len(task.labels)
    logits, ids = zip(*((task(frames.float()), ids) for frames, ids in data.val_dataloader()))
    logits, ids = torch.cat(logits), torch.cat(ids)
    require_finite(logits)
    is_sign = ids < classes
    calibration, threshold = calibrate_signs(logits[is_sign], ids[is_sign], data, like)
    offset = calibration.get("known_offset")
    graph = SignGraph(task.net, temperature=calibration["temperature"], known_offset=offset)
    scores, known = graph.results(logits)
    metrics = {}
    trained_on = f"{data.signs.name}, {len(data.train)} crops"
    if data.background:
        trained_on += ", background included"
    if data.train_on_val:
        trained_on += f", {LEARNT_VAL}"
    else:
        trained_on += ", split by track"
        correct = scores[is_sign].argmax(dim=1) == ids[is_sign]
        metrics["val_accuracy"] = float(correct.float().mean())
        if data.background:
            metrics["val_false_alarms"] = float((known[ids == classes] >= threshold).float().mean())
    if data.hold_out:
        metrics["val_unseen_taken_for_known"] = float((known[ids > classes] >= threshold).float().mean())
    fields = {
        "task": "signs",
        "palette": wheel(classes),
        "box_margin": data.signs.box_margin,
        "thresholds": {"known": threshold},
        "calibration": calibration,
        "trained_on": trained_on,
        "metrics": metrics,
    }
    return graph.eval(), fields


def calibrate_signs(
    logits: Tensor, ids: Tensor, data: SignData, like: ModelSpec | None
) -> tuple[dict[str, float], float]:
    """Temperature and, with background, offset of ``known``; and its threshold.

    Args:
        logits: (N, K + 1) of the validation signs.
        ids: (N,) their class ids.
        data: what the net was trained on.
        like: the model to take all from.

    Raises:
        DataError: only one of net and model was trained with background.
    """
    if like:
        if ("known_offset" in like.calibration) != (data.background is not None):
            raise DataError("one of the net and the model to calibrate it like has never seen background")
        return dict(like.calibration), like.thresholds.get("known", 0.5)
    if data.train_on_val:
        return {"temperature": 1.0} | ({"known_offset": 0.0} if data.background else {}), 0.5
    temperature, passing = fit_temperature(logits[:, :-1], ids), 1.0 - ACCEPTED_SIGNS
    if data.background:
        # Shifted so that 0.5 is the working point: as many signs pass as ACCEPTED_SIGNS says.
        offset = float(known_logit(logits).quantile(passing))
        return {"temperature": temperature, "known_offset": offset}, 0.5
    largest = (logits[:, :-1] / temperature).softmax(dim=1).amax(dim=1)
    return {"temperature": temperature}, float(largest.quantile(passing))


@torch.no_grad()
def mask_model(task: MaskTask, data: MaskData, like: ModelSpec | None) -> tuple[MaskGraph, dict[str, Any]]:
    """Shift a segmentation net's logits for the sake of rare classes, and calibrate its confidence.

    The shift is fitted on training pictures and becomes part of the net; the temperature is fitted on
    validation pictures, or taken from another model.
    """
    seen = TensorDataset(*data.train[:: max(1, len(data.train) // SHIFT_PICTURES)])
    offsets = fit_offsets(*pixels(task, DataLoader(seen, data.batch_size)))
    task.net.classify.bias += offsets
    if data.train_on_val:
        trained_on = f"{len(data.train)} pictures, {LEARNT_VAL}"
        metrics, temperature = {}, 1.0
    else:
        some = pixels(task, data.val_dataloader())
        trained_on = f"{len(data.train)} pictures; validated on {len(data.val)} others"
        metrics = {"val_miou": float(task.miou.compute())}
        temperature = fit_temperature(*some)
    if like:
        temperature = like.calibration["temperature"]
    shifts = {f"offset of {label}": float(offset) for label, offset in zip(task.labels, offsets)}
    fields = {
        "task": "segmentation",
        "palette": task.palette,
        "calibration": {"temperature": temperature} | shifts,
        "trained_on": f"{data.masks.name}, {trained_on}",
        "metrics": metrics,
    }
    return MaskGraph(task.net, temperature=temperature).eval(), fields


def pixels(task: MaskTask, batches: DataLoader[tuple[Tensor, ...]]) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and class ids (N,) of some labelled pixels; ``task.miou`` gets all of them.

    Raises:
        ExportError: a logit is not finite.
    """
    logits, ids = [], []
    task.miou.reset()
    for frames, masks in batches:
        out = task(frames.float())
        task.miou.update(out.argmax(dim=1), masks.long())
        logits.append(out.permute(0, 2, 3, 1).flatten(0, 2)[::PIXEL_STRIDE])
        ids.append(masks.flatten()[::PIXEL_STRIDE].long())
    some, wanted = torch.cat(logits), torch.cat(ids)
    require_finite(some)
    labelled = wanted != UNLABELLED
    return some[labelled], wanted[labelled]


@torch.no_grad()
def cost(net: nn.Module, size_hw: tuple[int, int]) -> dict[str, float]:
    """Parameters, and multiply-accumulates for one frame."""
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, *size_hw))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return {"parameters": float(parameters), "macs": counter.get_total_flops() / 2}


def require_finite(logits: Tensor) -> None:
    """Raise ExportError if a logit is not finite."""
    if not bool(logits.isfinite().all()):
        raise ExportError(
            "the net's outputs are not finite: training diverged; lower --model.lr and train again"
        )


def wheel(count: int) -> tuple[Color, ...]:
    """As many colours (R, G, B) as wanted, evenly around the colour wheel."""
    hues = (colorsys.hsv_to_rgb(k / count, 0.75, 0.95) for k in range(count))
    return tuple((round(r * 255), round(g * 255), round(b * 255)) for r, g, b in hues)


def write(graph: nn.Module, spec: ModelSpec, frames: Tensor, path: Path) -> None:
    """Trace the graph with a dynamic batch, simplify it and put the spec inside."""
    outputs = {"signs": ["scores", "known"], "segmentation": ["mask", "confidence"]}[spec.task]
    # The exporter mentions every missing torchvision operator; none is used here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        graph,
        (frames,),
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
def compare(graph: nn.Module, path: Path, frames: Tensor, *, batch_size: int) -> float:
    """Share of the classes (top-1, or of all pixels) on which PyTorch and the written file agree.

    Args:
        graph: what was exported.
        path: the written file, opened as the car opens it.
        frames: (N, H, W, 3) uint8 BGR.
        batch_size: frames at a time.
    """
    engine = open_engine(path, device="cpu")
    same: list[NDArray[np.bool_]] = []
    for batch in frames.split(batch_size):
        ours, theirs = graph(batch)[0].numpy(), next(iter(engine.infer(batch.numpy()).values()))
        if ours.ndim == 2:  # scores, not a mask
            ours, theirs = ours.argmax(axis=1), theirs.argmax(axis=1)
        same.append((ours == theirs).ravel())
    return float(np.concatenate(same).mean())


def commit() -> str:
    """The git commit of the code that exports, ``unknown`` outside a checkout."""
    root = Path(__file__).resolve().parent
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
