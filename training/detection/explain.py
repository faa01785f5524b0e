"""What moves a detection: the score of one box, if patches in it and around it are covered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.detection import rescale
from perception.frames import Frame
from training.datasets import boxes as box_sets
from training.datasets.images import BoxImage, DataError
from training.datasets.pictures import read_bgr
from training.detection.data import scaled
from training.detection.frames import padded
from training.detection.net import CELL, CENTER, FACE, STRIDE, peaks
from training.explain.question import (
    Explainer,
    Question,
    Sample,
    Samples,
    as_frames,
    class_ids,
    frozen,
    in_turn,
)
from training.opened import Opened
from training.split import Split, is_unseen, of_pictures

SHOWN = 3  # surest boxes of a picture
AROUND = 1.0  # of a box's longer side, that is looked at on each side of it
LEAST = 64.0  # px around it, because the net looks so far
ALIGNED = 32  # px; the net sees a part of a frame as it sees the frame if the part begins at a multiple
PATCHES = 4  # that cover the longer side of a box
LEARNT = "The net has learnt from these pictures, or they have changed since its training."

Corners = tuple[float, float, float, float]


class LogOdds(nn.Module):
    """(N, 3, H, W) BGR in 0…255 to (N, 1) log odds of the surest peak in the middle of a box.

    Args:
        net: to the maps of :class:`training.detection.net.SignFinder`.
        box: x1, y1, x2, y2 px.
    """

    def __init__(self, net: nn.Module, box: Corners) -> None:
        super().__init__()
        self.net = net
        x1, y1, x2, y2 = box
        self.columns, self.rows = (
            slice(max(0, int((3 * low + high) / 4 // CELL)), int((low + 3 * high) / 4 // CELL) + 1)
            for low, high in ((x1, x2), (y1, y2))
        )

    def forward(self, frames: Tensor) -> Tensor:
        middle = self.net(frames)[..., self.rows, self.columns]
        # The geometric mean that ``peaks`` gives, as a logarithm.
        logs = (F.logsigmoid(middle[:, CENTER]) + 3 * F.logsigmoid(middle[:, FACE])) / 4
        surest = logs.flatten(1).amax(dim=1, keepdim=True)
        odds: Tensor = surest - torch.log(-torch.expm1(surest))
        return odds


def questions(net: Opened, frame: Frame, names: Sequence[str]) -> Iterator[Question]:
    """About the surest boxes."""
    class_ids(names, net.spec.labels)
    own, whole = frozen(net.module.net), rescale(frame, net.spec.enlarge_to)
    with torch.no_grad():
        boxes, _ = peaks(own(as_frames(padded(whole, STRIDE))))
    for number in range(SHOWN):
        x1, y1, x2, y2 = boxes[number].tolist()
        asked = ask(net, own, whole, (x1, y1, x2, y2), f"box {number + 1}")
        if asked.score >= net.spec.thresholds.get("found", 0.3):
            yield asked


def ask(net: Opened, own: nn.Module, frame: Frame, box: Corners, answer: str) -> Question:
    """Why is there a sign in this box of the frame? The part of the frame around it is looked at."""
    size = max(box[2] - box[0], box[3] - box[1])
    reach = max(LEAST, AROUND * size)
    limits = (frame.shape[1], frame.shape[0])
    left, top = (max(0, int((low - reach) // ALIGNED * ALIGNED)) for low in box[:2])
    right, below = (
        min(limit, int(-(-(high + reach) // ALIGNED) * ALIGNED)) for high, limit in zip(box[2:], limits)
    )
    frames = as_frames(padded(frame[top:below, left:right], STRIDE))
    x1, y1, x2, y2 = box[0] - left, box[1] - top, box[2] - left, box[3] - top
    model = LogOdds(own, (x1, y1, x2, y2))
    with torch.no_grad():
        odds = float(model(frames))
    fitted = net.spec.calibration
    patch = max(CELL, round(size / PATCHES))
    rows, columns = np.ogrid[: frames.shape[-2], : frames.shape[-1]]
    rim = patch / 2
    inside = (columns >= x1 - rim) & (columns < x2 + rim) & (rows >= y1 - rim) & (rows < y2 + rim)
    return Question(
        answer,
        1 / (1 + float(np.exp(-fitted.get("slope", 1.0) * odds - fitted.get("offset", 0.0)))),
        model,
        frames,
        0,
        patch=patch,
        step=max(1, patch // 2),
        inside=inside,
    )


def samples(net: Opened, data: Path, limit: int) -> Samples:
    """Signs of the validation part that the net finds, each in the part of its picture around it.

    Raises:
        DataError: the data set cannot be read, or has nothing to validate with.
    """
    dataset = box_sets.read(data)
    _, val = box_sets.split(dataset.images, val_fraction=Split.of(net.spec).val_fraction)
    own = frozen(net.module.net)

    def read(image: BoxImage, number: int) -> Question | None:
        picture = read_bgr(image.path)
        before_hw = (picture.shape[0], picture.shape[1])
        frame = rescale(picture, net.spec.enlarge_to)
        boxes = scaled(image.pixels(before_hw), before_hw, (frame.shape[0], frame.shape[1]))
        x1, y1, x2, y2 = boxes[number].tolist()
        asked = ask(net, own, frame, (x1, y1, x2, y2), dataset.labels[image.class_ids[number]])
        return asked if asked.score >= 0.5 else None

    things = [
        Sample(image.path, dataset.labels[class_id], partial(read, image, number))
        for image in val
        for number, class_id in enumerate(image.class_ids)
    ]
    if not things:
        raise DataError(f"{data} has no box in its validation part; there is nothing to look at")
    unseen = is_unseen(net.spec.provenance, of_pictures(val))
    return Samples(in_turn(things, limit), () if unseen else (LEARNT,))


# Grad-CAM takes the mean gradient of all places, and so it shows the other signs of the frame as well.
EXPLAINER = Explainer(("occlusion", "lime"), questions, slow=("lime",), samples=samples)
