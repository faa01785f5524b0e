"""The graph of a segmentation net, and what is fitted to it after training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from perception.spec import ModelSpec
from perception.tasks import UNLABELLED
from training.calibrate import fit_temperature
from training.graph import BATCH, as_batch, require_finite
from training.segmentation.data import MaskData
from training.segmentation.task import MaskTask
from training.split import in_words, learnt

PIXEL_STRIDE = 37  # calibration needs no more pixels than every 37th
ENOUGH_PIXELS = 1000  # of those; with fewer the scores would be as sure as these few happened to be right


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


@torch.no_grad()
def build(task: MaskTask, data: MaskData, like: ModelSpec | None) -> tuple[MaskGraph, dict[str, Any]]:
    """Calibrate a segmentation net's confidence: the temperature is fitted, or taken from another model."""
    assert data.val is not None, "setup() comes first"
    metrics, temperature = {}, 1.0
    if not learnt(task, data):
        logits, ids = pixels(task, DataLoader(data.val, BATCH))
        metrics["val_miou"] = float(task.miou.compute())
        if len(ids) >= ENOUGH_PIXELS:
            temperature = fit_temperature(logits, ids)
        elif not like:
            print(
                f"{len(ids)} labelled pixels (every {PIXEL_STRIDE}th) validate, and {ENOUGH_PIXELS} are "
                "needed to calibrate the confidence: it stays as it is"
            )
    if like:
        temperature = like.calibration["temperature"]
    fields = {
        "palette": task.palette,
        "calibration": {"temperature": temperature},
        "trained_on": trained_on(task, data),
        "metrics": metrics,
    }
    return MaskGraph(task.net, temperature=temperature).eval(), fields


def trained_on(task: MaskTask, data: MaskData) -> str:
    """The data set and its split, for people."""
    assert data.val is not None, "setup() comes first"
    pictures = f"{data.data_set}, {len(data.labelled)} pictures"
    if data.rendered:
        pictures = f"{pictures} and rendered tracks ({data.rendered:.0%} of each batch)"
    if data.rendered == 1.0:
        pictures = "rendered tracks alone"
    words = in_words(task, data)
    return f"{pictures}, {words}" if words else f"{pictures}; validated on {len(data.val)} others"


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
