"""Graphs: what goes into a model file, a trained net with all that lies between it and the car's bytes.

So training and the car cannot disagree. What is fitted after training is fitted here.
"""

from __future__ import annotations

import colorsys
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from perception.spec import Color, ModelSpec
from perception.tasks import UNLABELLED
from training.calibrate import fit_offsets, fit_temperature
from training.datasets.images import LEARNT_VAL
from training.segmentation.data import MaskData
from training.segmentation.task import MaskTask
from training.signs.data import SignData
from training.signs.task import SignTask, known_logit

ACCEPTED_SIGNS = 0.99  # share of the validation signs that the threshold of ``known`` lets through
ENOUGH_SIGNS = 100  # fewer cannot tell where that is, and have often been seen from all sides in training
# Where nothing can be fitted: known are signs that are three times as likely as all else together.
UNFITTED = {"temperature": 1.0, "known_offset": math.log(3.0)}
THRESHOLD = 0.5  # of known
PIXEL_STRIDE = 37  # calibration needs no more pixels than every 37th
ENOUGH_PIXELS = 1000  # of those; with fewer the scores would be as sure as these few happened to be right
BATCH = 8  # pictures at a time: here they are whole and in full precision, whatever training could hold
SHIFT_PICTURES = 128  # training pictures that tell how the classes' logits should be shifted


class ExportError(Exception):
    """The model is not fit to be exported; nothing was written."""


class SignGraph(nn.Module):
    """uint8 frames (N, H, W, 3) BGR to scores (N, K) and known (N,)."""

    def __init__(self, net: nn.Module, *, temperature: float, known_offset: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature
        self.known_offset = known_offset

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.results(self.net(as_batch(frames)))

    def results(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K + 1) logits to scores and known."""
        scores = (logits[:, :-1] / self.temperature).softmax(dim=1)
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
        # By way of float32: by its documentation, TensorRT makes uint8 of floats alone.
        return logits.argmax(dim=1).float().to(torch.uint8), (confidence * 255.0 + 0.5).to(torch.uint8)


def as_batch(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32, in this order: TensorRT computes nothing in uint8."""
    return frames.float().permute(0, 3, 1, 2)


@torch.no_grad()
def sign_model(task: SignTask, data: SignData, like: ModelSpec | None) -> tuple[SignGraph, dict[str, Any]]:
    """Calibrate a classifier on the validation crops, or like another one."""
    classes = len(task.labels)
    logits, ids = zip(*((task(frames.float()), ids) for frames, ids in data.val_dataloader()))
    logits, ids = torch.cat(logits), torch.cat(ids)
    require_finite(logits)
    is_sign = ids < classes
    learnt = learnt_val(task, data)
    calibration, threshold = calibrate_signs(logits[is_sign], ids[is_sign], like, has_learnt=bool(learnt))
    graph = SignGraph(task.net, **calibration)
    scores, known = graph.results(logits)
    metrics = {}
    trained_on = f"{data.signs.name}, {len(data.train)} crops"
    if data.background:
        trained_on += ", background included"
    if learnt:
        trained_on += f", {learnt}"
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
    logits: Tensor, ids: Tensor, like: ModelSpec | None, *, has_learnt: bool
) -> tuple[dict[str, float], float]:
    """Temperature and offset of ``known``, and its threshold.

    Args:
        logits: (N, K + 1) of the validation signs.
        ids: (N,) their class ids.
        like: the model to take all from.
        has_learnt: whether the net has learnt from these crops.
    """
    if like:
        return dict(like.calibration), like.threshold
    if has_learnt:
        return UNFITTED, THRESHOLD
    if len(ids) < ENOUGH_SIGNS:
        print(
            f"{len(ids)} crops validate, and {ENOUGH_SIGNS} are needed to calibrate the scores and the "
            "threshold of known: the scores stay as they are, and known is what is three times as likely as "
            "all else"
        )
        return UNFITTED, THRESHOLD
    # Shifted so that the threshold lets as many signs pass as ACCEPTED_SIGNS says.
    offset = float(known_logit(logits).quantile(1.0 - ACCEPTED_SIGNS))
    return {"temperature": fit_temperature(logits[:, :-1], ids), "known_offset": offset}, THRESHOLD


@torch.no_grad()
def mask_model(task: MaskTask, data: MaskData, like: ModelSpec | None) -> tuple[MaskGraph, dict[str, Any]]:
    """Shift a segmentation net's logits for the sake of rare classes, and calibrate its confidence.

    The shift is fitted on training pictures and becomes part of the net; the temperature is fitted on
    validation pictures, or taken from another model.
    """
    seen = TensorDataset(*data.train[:: max(1, len(data.train) // SHIFT_PICTURES)])
    offsets = fit_offsets(*pixels(task, DataLoader(seen, BATCH)))
    task.net.classify.bias += offsets
    if learnt := learnt_val(task, data):
        trained_on = f"{len(data.train)} pictures, {learnt}"
        metrics, temperature = {}, 1.0
    else:
        logits, ids = pixels(task, DataLoader(data.val, BATCH))
        trained_on = f"{len(data.train)} pictures; validated on {len(data.val)} others"
        metrics = {"val_miou": float(task.miou.compute())}
        temperature = fit_temperature(logits, ids) if len(ids) >= ENOUGH_PIXELS else 1.0
        if len(ids) < ENOUGH_PIXELS and not like:
            print(
                f"{len(ids)} labelled pixels (every {PIXEL_STRIDE}th) validate, and {ENOUGH_PIXELS} are "
                "needed to calibrate the confidence: it stays as it is"
            )
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
        # Without the copy, all pixels would stay in memory for the few.
        logits.append(out.permute(0, 2, 3, 1).flatten(0, 2)[::PIXEL_STRIDE].clone())
        ids.append(masks.flatten()[::PIXEL_STRIDE].long())
    some, wanted = torch.cat(logits), torch.cat(ids)
    require_finite(some)
    labelled = wanted != UNLABELLED
    return some[labelled], wanted[labelled]


def learnt_val(task: SignTask | MaskTask, data: SignData | MaskData) -> str:
    """How the spec tells that the net has learnt from the validation part; empty if it has not."""
    if data.train_on_val:
        return LEARNT_VAL
    return f"after others, {LEARNT_VAL}" if task.start_learnt_val else ""


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
