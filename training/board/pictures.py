"""Validation pictures in TensorBoard: with the model's answers, and as points in the projector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from perception.errors import ModelError
from perception.frames import Frame
from perception.model import Model
from perception.report.page import shown
from training.export import samples
from training.onnx.features import Features
from training.run import ANSWERS_TAG

ANSWERS = 8  # pictures with the model's answer
POINTS = 256  # pictures in the projector, at most
PIXELS = 20_000_000  # of all of them, so that large ones take seconds and not minutes
SPRITE = 64  # px of a picture in the projector
LEGIBLE = 240  # px of the longer side of a picture, below which nobody could read what is drawn


def some_frames(data: Any) -> tuple[list[Frame], list[str]]:
    """Validation pictures, as many as fit into POINTS and PIXELS.

    Args:
        data: the data module, set up.

    Returns:
        The pictures, and their classes; none if a picture has no class of its own.
    """
    height, width = data.size_hw
    count = max(ANSWERS, min(POINTS, PIXELS // (height * width)))
    frames = [frame for batch in samples(data, count) for frame in batch.numpy()]
    tensors: Sequence[torch.Tensor] = getattr(data.val, "tensors", ())
    if len(tensors) < 2 or tensors[1].ndim != 1:
        return frames, []
    ids = tensors[1][:: max(1, len(tensors[1]) // count)].tolist()  # as samples() chooses
    names = [data.labels[number] if number < len(data.labels) else "no known sign" for number in ids]
    return frames, names


def some_of(frames: Sequence[Frame]) -> list[Frame]:
    """A few of the frames, large enough that somebody can read what is drawn into them."""
    numbers = np.linspace(0, len(frames) - 1, min(ANSWERS, len(frames))).astype(int).tolist()
    return [_legible(frames[number]) for number in numbers]


def show_answers(writer: Any, model: Model, frames: Sequence[Frame], *, step: int) -> None:
    """Write frames with the model's answers drawn into them."""
    for place, frame in enumerate(frames):
        drawn = shown(model(frame).overlay(frame))
        writer.add_image(f"{ANSWERS_TAG}{place}", drawn[..., ::-1].copy(), step, dataformats="HWC")


def _legible(frame: Frame) -> Frame:
    times = max(1, -(-LEGIBLE // max(frame.shape[:2])))
    return cv2.resize(frame, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST).astype(np.uint8)


def show_features(writer: Any, model: Path, frames: Sequence[Frame], names: Sequence[str]) -> None:
    """Write the features of all frames for the projector, each with its picture and its class, if any."""
    height, width = frames[0].shape[:2]
    try:
        features = Features(model, size_hw=(height, width))
    except ModelError as error:
        print(f"TensorBoard's projector stays empty: {error}")
        return
    points = np.concatenate([features(_sized(frame, width, height)[None]) for frame in frames])
    small = [_sized(frame, SPRITE, SPRITE) for frame in frames]
    sprites = torch.from_numpy(np.stack(small)[..., ::-1].copy()).permute(0, 3, 1, 2) / 255.0
    writer.add_embedding(points, metadata=list(names) or None, label_img=sprites, tag="features")


def _sized(frame: Frame, width: int, height: int) -> Frame:
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
