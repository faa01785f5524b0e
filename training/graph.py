"""Graphs: what goes into a model file, a trained net with all that lies between it and the car's bytes.

So training and the car cannot disagree. Each task has its own in ``TASK/graph.py``; here is what they share.
"""

from __future__ import annotations

import colorsys
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.spec import Color
from perception.tasks import TASKS

BATCH = 8  # pictures at a time: here they are whole and in full precision, whatever training could hold


class ExportError(Exception):
    """The model is not fit to be exported; nothing was written."""


def as_batch(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32, in this order: TensorRT computes nothing in uint8."""
    return frames.float().permute(0, 3, 1, 2)


@torch.no_grad()
def outputs(graph: nn.Module, task: str, frames: Tensor) -> dict[str, NDArray[Any]]:
    """What a graph says about frames (N, H, W, 3) uint8 BGR, by the names that the task's outputs have."""
    given = graph(frames)
    tensors = given if isinstance(given, tuple) else (given,)
    return {name: tensor.numpy() for name, tensor in zip(TASKS[task].outputs, tensors, strict=True)}


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
