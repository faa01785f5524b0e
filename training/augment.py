"""What training does to the pictures of more than one task."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LUMA = (0.114, 0.587, 0.299)  # of B, G, R (ITU-R BT.601)


@torch.no_grad()
def color_jitter(
    frames: Tensor, *, brightness: float, contrast: float, saturation: float, tint: float
) -> Tensor:
    """Change brightness, contrast, saturation and tint of each picture, in one affine map of its colours.

    Args:
        frames: (N, 3, H, W) BGR in 0…1.
        brightness: largest factor, drawn log-uniformly between it and its inverse.
        contrast: likewise, around the picture's mean.
        saturation: likewise, around each pixel's grey.
        tint: largest change of one channel, as a share.

    Returns:
        The pictures in 0…1.
    """
    n, device = len(frames), frames.device

    def factor(largest: float) -> Tensor:
        return torch.exp((torch.rand(n, 1, 1, device=device) * 2 - 1) * np.log(largest))

    grey = torch.tensor(LUMA, device=device).expand(3, 3)
    saturated = torch.lerp(grey, torch.eye(3, device=device), factor(saturation))
    tinted = 1 + (torch.rand(n, 3, 1, device=device) * 2 - 1) * tint
    matrix = factor(brightness) * tinted * saturated  # (N, 3, 3)
    mean = matrix @ frames.mean(dim=(2, 3)).unsqueeze(2)  # (N, 3, 1)
    gain = factor(contrast)
    changed = torch.baddbmm(mean * (1 - gain), gain * matrix, frames.flatten(2))
    return changed.clamp(0, 1).view_as(frames)


def noise(frames: Tensor, *, p: float) -> Tensor:
    """Add a sensor's noise of up to 0.15 (standard deviation) to a share of (N, 3, H, W) pictures in 0…1."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    clean = frames[chosen]
    amount = 0.15 * torch.rand_like(clean[:, :1, :1, :1])
    frames[chosen] = (clean + amount * torch.randn_like(clean)).clamp(0, 1)
    return frames
