"""What training does to street pictures and their masks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from perception.tasks import UNLABELLED


def mix_classes(frames: Tensor, ids: Tensor, *, p: float) -> tuple[Tensor, Tensor]:
    """Lay about half of the classes of another picture over a share of the pictures, their labels likewise.

    So things appear in front of backgrounds that they never had, and a net learns the thing and not its
    street: ClassMix (Olsson et al. 2021), with true labels.

    Args:
        frames: (N, 3, H, W).
        ids: (N, H, W) int64 class ids; unlabelled pixels are never laid on top.
        p: share of the pictures to change.

    Returns:
        Frames and class ids.
    """
    drawn = torch.rand(len(ids), UNLABELLED + 1, device=ids.device) < 0.5
    drawn &= torch.rand(len(ids), 1, device=ids.device) < p
    drawn[:, UNLABELLED] = False
    others, other_ids = frames.roll(1, dims=0), ids.roll(1, dims=0)
    on_top = drawn.gather(1, other_ids.flatten(1)).view_as(ids)
    return torch.where(on_top[:, None], others, frames), torch.where(on_top, other_ids, ids)


def scale_crop_flip(
    frame: Tensor,
    mask: Tensor,
    crop_hw: tuple[int, int],
    *,
    scale: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Scale a picture and its mask, cut one crop and flip it half of the time.

    Args:
        frame: (3, H, W) uint8.
        mask: (H, W) uint8 class ids.
        crop_hw: size of the crop; where the scaled picture is smaller, grey and 255 (unlabelled) fill up.
        scale: smallest and largest factor, drawn log-uniformly.
        rng: source of the random numbers.

    Returns:
        Frame (3, h, w) uint8 and mask (h, w) uint8.
    """
    factor = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    height, width = (round(side * factor) for side in mask.shape)
    small = factor < 1.0
    scaled = F.interpolate(
        frame[None], (height, width), mode="bilinear", antialias=small, align_corners=False
    )[0]
    # "nearest" rounds down and would push the mask half a pixel to the right and down.
    labels = F.interpolate(mask[None, None], (height, width), mode="nearest-exact")[0, 0]
    below, beside = max(0, crop_hw[0] - height), max(0, crop_hw[1] - width)
    scaled = F.pad(scaled, (0, beside, 0, below), value=127)
    labels = F.pad(labels, (0, beside, 0, below), value=UNLABELLED)
    y = int(rng.integers(labels.shape[0] - crop_hw[0] + 1))
    x = int(rng.integers(labels.shape[1] - crop_hw[1] + 1))
    scaled = scaled[:, y : y + crop_hw[0], x : x + crop_hw[1]]
    labels = labels[y : y + crop_hw[0], x : x + crop_hw[1]]
    if rng.random() < 0.5:
        return scaled.flip(-1), labels.flip(-1)
    return scaled, labels
