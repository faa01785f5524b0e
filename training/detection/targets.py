"""What the net learns from: the boxes of a crop as maps, and the loss between both."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.detection.net import BOX, CELL, CENTER, FACE, UNIT

Boxes = NDArray[np.float32]

SMALLEST = 7.0  # px; narrower signs are neither learnt nor taken for background
VISIBLE = 0.6  # share of a sign; of which less is in the crop, it is left out likewise
SPREAD = 0.08  # of the Gaussian around a sign's centre, as a share of its size
LEAST_SPREAD = 0.55  # cells
NEAR = 0.2  # of the Gaussian: from here on a cell learns the box and is in the sign's face
FAR = 0.005  # below it a cell is certainly in no face
HEAT, WEIGHT, WANTED, COUNTS = slice(0, 1), slice(1, 2), slice(2, 6), slice(6, 7)  # the maps


def target(boxes: Boxes, side: int) -> NDArray[np.float32]:
    """The maps that a crop's boxes should give.

    Args:
        boxes: (M, 4) xyxy px; they may reach beyond the crop.
        side: of the square crop, px.

    Returns:
        (7, S/4, S/4): a Gaussian around each centre; the weight of each cell in learning a box; that box,
        xyxy px; and whether the cell counts as background where there is no sign.
    """
    cells = side // CELL
    maps = np.zeros((7, cells, cells), np.float32)
    maps[COUNTS] = 1.0
    for box, is_whole in _visible(boxes, side):
        x1, y1, x2, y2 = box
        if not is_whole:
            rows, columns = (
                slice(int(low / CELL), -int(-high // CELL)) for low, high in ((y1, y2), (x1, x2))
            )
            maps[COUNTS, rows, columns] = 0.0
            continue
        column, row = (min(int((low + high) / 2 / CELL), cells - 1) for low, high in ((x1, x2), (y1, y2)))
        spread = [max(LEAST_SPREAD, SPREAD * float(size) / CELL) for size in (x2 - x1, y2 - y1)]
        reach = int(3 * max(spread)) + 1
        across = np.arange(max(0, column - reach), min(cells, column + reach + 1))
        down = np.arange(max(0, row - reach), min(cells, row + reach + 1))
        far_x, far_y = (across - column) ** 2 / spread[0] ** 2, (down - row) ** 2 / spread[1] ** 2
        gauss = np.exp(-(far_x + far_y[:, None]) / 2).astype(np.float32)
        near = maps[:, down[0] : down[-1] + 1, across[0] : across[-1] + 1]
        heat, weight = near[0], near[1]
        heat[:] = np.maximum(heat, gauss)
        own = (gauss > NEAR) & (gauss >= weight)  # of two signs, a cell learns the nearer
        weight[own] = gauss[own]
        for number, value in enumerate(box, start=WANTED.start):
            near[number][own] = value
    return maps


def _visible(boxes: Boxes, side: int) -> Iterator[tuple[Boxes, bool]]:
    """The visible part of each box, largest first, and whether there is enough of the sign to learn it."""
    order = np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(axis=1), kind="stable")
    for box in boxes[order]:
        seen = box.clip(0, side)
        if (seen[2:] <= seen[:2]).any():
            continue
        share = (seen[2:] - seen[:2]).prod() / (box[2:] - box[:2]).prod()
        center = (box[:2] + box[2:]) / 2
        is_inside = bool((center >= 0).all() and (center < side).all())
        yield seen, bool(share >= VISIBLE and is_inside and box[2] - box[0] >= SMALLEST)


def loss_of(maps: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """How far maps are from what they should be; the sum of the three is the loss.

    Centres learn by the focal loss of CornerNet (Law & Deng 2018) at half weight, boxes by the generalised
    IoU (Rezatofighi et al. 2019). A face is flat over the middle of a sign; the ring around it says nothing.

    Args:
        maps: (N, 6, H, W) of the net.
        targets: (N, 7, H, W), see :func:`target`.

    Returns:
        ``center``, ``face`` and ``box``, each a mean over the signs of the batch.
    """
    heat, weight, counts = targets[:, HEAT], targets[:, WEIGHT], targets[:, COUNTS]
    center, face = (maps[:, which].float().sigmoid().clamp(1e-5, 1 - 1e-5) for which in (CENTER, FACE))
    is_center = heat > 0.9999
    signs = is_center.sum().clamp(min=1)
    hits = is_center * (1 - center) ** 2 * center.log()
    misses = ~is_center * (1 - heat) ** 4 * center**2 * (1 - center).log() * counts
    is_face, is_street = weight > 0, (heat < FAR) * counts
    faces = (is_face * (1 - face) ** 2 * face.log()).sum() / is_face.sum().clamp(min=1)
    street = (is_street * face**2 * (1 - face).log()).sum() / signs
    overlap = generalized_iou(boxes_of(maps), targets[:, WANTED])
    box = (weight[:, 0] * (1 - overlap)).sum() / weight.sum().clamp(min=1)
    return {"center": -0.5 * (hits + misses).sum() / signs, "face": -2.0 * faces - 0.25 * street, "box": box}


def boxes_of(maps: Tensor) -> Tensor:
    """(N, 6, H, W) maps to the box (N, 4, H, W) that each cell stands for, xyxy px."""
    left, top, right, bottom = (maps[:, BOX].float().clamp(-3, 4).exp() * UNIT).unbind(1)
    rows, columns = (torch.arange(size, device=maps.device) * CELL + CELL / 2 for size in maps.shape[-2:])
    x, y = columns[None, :], rows[:, None]
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=1)


def generalized_iou(given: Tensor, wanted: Tensor) -> Tensor:
    """Of boxes (N, 4, …) xyxy, in -1…1 (N, …)."""
    x1, y1, x2, y2 = given.unbind(1)
    u1, v1, u2, v2 = wanted.unbind(1)
    shared = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).clamp(min=0) * (
        torch.minimum(y2, v2) - torch.maximum(y1, v1)
    ).clamp(min=0)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - shared
    around = (torch.maximum(x2, u2) - torch.minimum(x1, u1)) * (torch.maximum(y2, v2) - torch.minimum(y1, v1))
    return shared / (union + 1e-6) - (around - union) / (around + 1e-6)
