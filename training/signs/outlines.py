"""Outlines of signs as masks: what of a crop is the sign, and what is behind it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from training.datasets.images import Outline

FINE = 512  # px; masks are drawn at this size and averaged down
RADIUS = 0.43  # of a disc, as a share of the crop: a tenth of the sign is around it


def masks(outlines: Mapping[int, Outline], classes: int, size_hw: tuple[int, int]) -> Tensor:
    """(classes + 1, H, W) 1 within the outline of each class's signs, 0 for all of a class without outline.

    The last is for "no known sign", which has none. Empty if no class has an outline.
    """
    if not outlines:
        return torch.empty(0, *size_hw)
    drawn = np.zeros((classes + 1, *size_hw), np.float32)
    for class_id, corners in outlines.items():
        mask = np.zeros((FINE, FINE), np.uint8)
        if corners:
            cv2.fillConvexPoly(mask, np.rint(FINE * np.array(corners)).astype(np.int32), 255)
        else:
            cv2.circle(mask, (FINE // 2, FINE // 2), round(RADIUS * FINE), 255, -1)
        soft = cv2.GaussianBlur(mask, (0, 0), FINE / 64)
        drawn[class_id] = cv2.resize(soft, size_hw[::-1], interpolation=cv2.INTER_AREA) / 255.0
    return torch.from_numpy(drawn)
