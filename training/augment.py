"""What training does to pictures so that the car's camera holds no surprises."""

from __future__ import annotations

import kornia.augmentation as K
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.spec import UNLABELLED


class SignAugment(nn.Module):
    """Crops of signs as a moving car sees them: askew, off-centre, dark, glaring, blurred, partly hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.transforms = K.AugmentationSequential(
            K.RandomAffine(
                degrees=12.0, translate=(0.1, 0.1), scale=(0.8, 1.2), shear=8.0, padding_mode="border", p=0.9
            ),
            K.RandomPerspective(0.2, p=0.3),
            K.ColorJiggle(
                brightness=(0.4, 1.7), contrast=(0.6, 1.5), saturation=(0.5, 1.5), hue=(-0.03, 0.03), p=0.8
            ),
            K.RandomMotionBlur(3, 30.0, 0.5, p=0.1),
            K.RandomGaussianBlur((5, 5), (0.3, 1.5), p=0.2),
            K.RandomGaussianNoise(std=0.03, p=0.2),
            K.RandomErasing(scale=(0.02, 0.12), p=0.25),
            data_keys=["input"],
            random_apply=False,
        )

    @torch.no_grad()
    def forward(self, frames: Tensor, ids: Tensor, flip_to: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            frames: (N, 3, H, W) uint8 BGR.
            ids: (N,) class ids.
            flip_to: (classes,) the class of each class's mirror image, -1 where it is no sign.

        Returns:
            (N, 3, H, W) float32 in 0…255, and the class ids, changed where a flip changes the meaning.
        """
        mirrored = flip_to[ids]
        flip = (mirrored >= 0) & (torch.rand(len(ids), device=ids.device) < 0.5)
        frames = torch.where(flip[:, None, None, None], frames.flip(-1), frames)
        # Kornia works on RGB in 0…1.
        changed = self.transforms(frames.flip(1).float() / 255.0).flip(1)
        return changed.clamp(0, 1) * 255.0, torch.where(flip, mirrored, ids)


_jitter = K.ColorJiggle(
    brightness=(0.6, 1.4), contrast=(0.6, 1.4), saturation=(0.6, 1.4), hue=(-0.05, 0.05), p=0.8
)


@torch.no_grad()
def color_jitter(frames: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue of (N, 3, H, W) float BGR frames in 0…255."""
    return _jitter(frames.flip(1) / 255.0).clamp(0, 1).flip(1) * 255.0


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
        rng: where the chance comes from.

    Returns:
        Frame (3, h, w) uint8 and mask (h, w) uint8.
    """
    factor = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    height, width = (round(side * factor) for side in mask.shape)
    small = factor < 1.0
    scaled = F.interpolate(
        frame[None], (height, width), mode="bilinear", antialias=small, align_corners=False
    )[0]
    labels = F.interpolate(mask[None, None], (height, width), mode="nearest")[0, 0]
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
