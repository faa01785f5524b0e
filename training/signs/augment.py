"""What training does to crops of signs so that the car's camera holds no surprises."""

from __future__ import annotations

import cv2
import kornia.augmentation as K
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.augment import color_jitter


class SignAugment(nn.Module):
    """Crops of signs as a moving car sees them: askew, dark, glaring, hazy, far, blurred, partly hidden.

    Args:
        spoil: factor on how often haze, covers, specks, blur, noise and JPEG spoil a crop; 0 leaves only
            position and light to chance.
    """

    def __init__(self, spoil: float = 1.0) -> None:
        super().__init__()
        self.spoil = spoil
        self.warp = K.AugmentationSequential(
            K.RandomAffine(
                degrees=12.0, translate=(0.1, 0.1), scale=(0.8, 1.2), shear=8.0, padding_mode="border", p=0.9
            ),
            K.RandomPerspective(0.2, p=0.3),
            data_keys=["input"],
        )
        self.blur = K.AugmentationSequential(
            K.RandomMotionBlur((3, 9), 90.0, 1.0, p=0.12 * spoil),
            K.RandomGaussianBlur((7, 7), (0.3, 2.5), p=0.2 * spoil),
            data_keys=["input"],
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
        x = self.warp(frames.float() / 255.0)
        x = color_jitter(x, brightness=3.5, contrast=2.0, saturation=1.6, tint=0.1)
        x = haze(x, p=0.2 * self.spoil)
        x = weather(hide(x, p=0.35 * self.spoil), p=0.15 * self.spoil)
        x = noise(self.blur(coarsen(x, p=0.2 * self.spoil)), p=0.25 * self.spoil)
        return jpeg(x * 255.0, p=0.1 * self.spoil), torch.where(flip, mirrored, ids)


def deform(frames: Tensor, ids: Tensor, *, p: float, no_sign: int) -> tuple[Tensor, Tensor]:
    """Turn a share of the signs into things like signs that are none: halves swapped, negatives, two in one.

    They teach a net the difference between "has the colours and edges of a sign" and "is this sign": outlier
    exposure (Hendrycks et al. 2019), with mixed outliers (Zhang et al. 2023).

    Args:
        frames: (N, 3, H, W) uint8, H and W even.
        ids: (N,) class ids.
        p: chance of each picture to be changed.
        no_sign: their new class id.

    Returns:
        Pictures and class ids.
    """
    count = len(frames)
    # Each picture by itself: of shares of a small batch, less than one would be of each kind.
    kind = torch.where(torch.rand(count) < p, torch.randint(3, (count,)), -1).to(frames.device)
    shifted, negative, blended = (torch.nonzero(kind == k).flatten() for k in range(3))
    others = (blended + 1) % count
    # A sign blended with one of its own class is still that sign.
    unlike = ids[blended] != ids[others]
    blended, others = blended[unlike], others[unlike]
    changed, ids = frames.clone(), ids.clone()
    half_hw = (frames.shape[-2] // 2, frames.shape[-1] // 2)
    axes = [(half_hw, (2, 3)), (half_hw[:1], (2,)), (half_hw[1:], (3,))][int(torch.randint(3, ()))]
    changed[shifted] = frames[shifted].roll(*axes)
    changed[negative] = 255 - frames[negative]
    if len(blended):  # torch warns of the spread of nothing
        changed[blended] = blend(frames[blended].float(), frames[others].float()).to(frames.dtype)
    ids[torch.cat([shifted, negative, blended])] = no_sign
    return changed, ids


def blend(frames: Tensor, others: Tensor) -> Tensor:
    """Half of each picture (N, 3, H, W) in 0…255, the other half from another at the same light."""

    def light(x: Tensor) -> tuple[Tensor, Tensor]:
        std, mean = torch.std_mean(x, dim=(1, 2, 3), keepdim=True)
        return mean, std + 1.0

    (mean, std), (other_mean, other_std) = light(frames), light(others)
    return ((frames + (others - other_mean) / other_std * std + mean) / 2).clamp(0, 255)


def coarsen(frames: Tensor, *, p: float) -> Tensor:
    """Make a share of (N, 3, H, W) pictures as coarse as far ones: 10 px to full size."""
    chosen = torch.rand(len(frames), device=frames.device) < p
    if chosen.any():
        size = frames.shape[-2:]
        side = int(torch.randint(10, max(11, size[0]), ()))
        small = F.interpolate(frames[chosen], (side, side), mode="area")
        frames[chosen] = F.interpolate(small, size, mode="bilinear", align_corners=False)
    return frames


def jpeg(frames: Tensor, *, p: float) -> Tensor:
    """Send a share of (N, 3, H, W) BGR pictures in 0…255 through JPEG at quality 10 to 60."""
    for index in torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten().tolist():
        picture = frames[index].permute(1, 2, 0).to(torch.uint8).cpu().numpy()
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(torch.randint(10, 61, ()))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        frames[index] = torch.from_numpy(decoded).permute(2, 0, 1).to(frames)
    return frames


def haze(frames: Tensor, *, p: float) -> Tensor:
    """Blend a share of (N, 3, H, W) pictures in 0…1 with one grey, here more and there less, as fog does."""
    mean, grey, chance = torch.rand(3, len(frames), 1, 1, 1, device=frames.device)
    patches = torch.rand(len(frames), 1, 4, 4, device=frames.device) - 0.5
    patches = F.interpolate(patches, frames.shape[-2:], mode="bilinear", align_corners=True)
    amount = (0.8 * mean + 0.5 * patches).clamp(0, 0.9) * (chance < p)
    return torch.lerp(frames, 0.2 + 0.8 * grey, amount)


def noise(frames: Tensor, *, p: float) -> Tensor:
    """Add a sensor's noise of up to 0.15 (standard deviation) to a share of (N, 3, H, W) pictures in 0…1."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    clean = frames[chosen]
    amount = 0.15 * torch.rand_like(clean[:, :1, :1, :1])
    frames[chosen] = (clean + amount * torch.randn_like(clean)).clamp(0, 1)
    return frames


def hide(frames: Tensor, *, p: float) -> Tensor:
    """Put a piece of another picture, or one colour, before a share of (N, 3, H, W) pictures in 0…1."""
    n, _, height, width = frames.shape
    draw = torch.rand(n, 6, 1, 1, device=frames.device)
    y = torch.linspace(0, 1, height, device=frames.device)[:, None]
    x = torch.linspace(0, 1, width, device=frames.device)
    inside_y = (y - draw[:, 0]).abs() < 0.08 + 0.27 * draw[:, 1]
    inside_x = (x - draw[:, 2]).abs() < 0.08 + 0.27 * draw[:, 3]
    hidden = (inside_y & inside_x & (draw[:, 4] < p))[:, None]
    color = torch.rand(n, 3, 1, 1, device=frames.device)
    cover = torch.where(draw[:, 5:] < 0.5, frames.roll(1, dims=0), color)
    return torch.where(hidden, cover, frames)


def weather(frames: Tensor, *, p: float) -> Tensor:
    """Strew bright specks or streaks over a share of (N, 3, H, W) pictures in 0…1, as snow and rain are."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    n, _, height, width = frames[chosen].shape
    density, opacity = torch.rand(2, n, 1, 1, 1, device=frames.device)
    specks = torch.rand(n, 1, height, width, device=frames.device) < 0.05 * density
    length, slant = int(torch.randint(1, 9, ())), float(torch.rand(())) - 0.5
    streaks = specks
    for k in range(1, length):
        streaks = streaks | specks.roll((k, round(k * slant)), (2, 3))
    frames[chosen] = torch.lerp(frames[chosen], torch.full_like(frames[chosen], 0.9), streaks * opacity)
    return frames
