"""Why a crop is taken for a sign, and whether what is behind signs is among the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.frames import Frame, resize
from training.datasets.images import SignImage, SignSet
from training.datasets.pictures import read_bgr
from training.explain.methods import METHODS
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
from training.signs.evaluate import read_crops
from training.signs.outlines import masks
from training.split import is_unseen

STRIDE = 8  # px of a crop that a cell of the features stands for
PATCHES = 8  # that cover a crop's side
UNKNOWN_OUTLINE = "The data set does not say what outline its signs have: ellipses count as the signs."
LEARNT = "The net has learnt from these pictures, or they have changed since its training."


class LogOdds(nn.Module):
    """(N, 3, H, W) BGR in 0…255 to (N, K) log odds of each class against all others and "no known sign"."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor) -> Tensor:
        logits: Tensor = self.net(frames)
        itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
        others = logits[:, None].masked_fill(itself, -torch.inf).logsumexp(dim=2)
        return (logits - others)[:, :-1]


def questions(net: Opened, frame: Frame, names: Sequence[str]) -> Iterator[Question]:
    """About these classes; about the best one if there are none."""
    model = LogOdds(frozen(net.module.net))
    frames = as_frames(resize(frame, net.spec.input_hw))
    with torch.no_grad():
        best = int(model(frames).argmax())
    for class_id in class_ids(names, net.spec.labels) or [best]:
        yield ask(net, model, frames, class_id)


def ask(
    net: Opened,
    model: LogOdds,
    frames: Tensor,
    class_id: int,
    *,
    inside: NDArray[np.bool_] | None = None,
) -> Question:
    """Why is this crop of this class?"""
    with torch.no_grad():
        score = float(model(frames)[0, class_id].sigmoid())
    patch = patch_of(net.spec.input_hw)
    features = model.net.features
    assert isinstance(features, nn.Module)
    return Question(
        net.spec.labels[class_id],
        score,
        model,
        frames,
        class_id,
        layer=features,
        stride=STRIDE,
        patch=patch,
        step=patch // 2,
        inside=inside,
    )


def samples(net: Opened, data: Path, limit: int) -> Samples:
    """Crops of the validation part, and where in them the sign is.

    Raises:
        DataError: the data set cannot be read, has other classes, or nothing to validate with.
    """
    crops = read_crops(net.spec, data, "val")
    model, inside = LogOdds(frozen(net.module.net)), within(crops.dataset, net.spec.input_hw)

    def read(image: SignImage) -> Question:
        frames = as_frames(resize(read_bgr(image.path), net.spec.input_hw))
        return ask(net, model, frames, image.class_id, inside=inside[image.class_id])

    things = [
        Sample(image.path, net.spec.labels[image.class_id], partial(read, image)) for image in crops.images
    ]
    remarks = [] if is_unseen(net.spec.provenance, crops.kept_aside) else [LEARNT]
    if len(crops.dataset.outlines) < len(crops.dataset.labels):
        remarks.append(UNKNOWN_OUTLINE)
    return Samples(in_turn(things, limit), tuple(remarks))


def within(dataset: SignSet, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """(classes, H, W) where the signs of each class are, and half a patch around them.

    The rim is a good reason, and it shows in the patches on both sides of it.
    """
    classes, (height, width) = len(dataset.labels), size_hw
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ellipse = np.hypot(rows, columns) <= 1 / (1 + 2 * dataset.box_margin)
    drawn = masks(dataset.outlines, classes, size_hw).numpy() > 0.5
    reach = patch_of(size_hw) // 2
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    shapes = [drawn[number] if number in dataset.outlines else ellipse for number in range(classes)]
    return np.stack([cv2.dilate(shape.astype(np.uint8), around) for shape in shapes]).astype(bool)


def patch_of(size_hw: tuple[int, int]) -> int:
    """Side of what is covered at a time, px."""
    return max(2, size_hw[0] // PATCHES)


EXPLAINER = Explainer(tuple(METHODS), questions, samples=samples)
