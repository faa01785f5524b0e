"""What training does to crops of signs so that the car's camera holds no surprises."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from training.augment import color_jitter, noise


class SignAugment(nn.Module):
    """Crops of signs as a moving car sees them: askew, dark, tinted, hazy, far, blurred, hidden, on paper.

    Args:
        spoil: factor on how often casts, print, gloss, haze, covers, specks, blur, noise and JPEG spoil a
            crop; 0 leaves only position and light to chance.
        size_hw: of the crops that come out; None: as they go in. What goes in larger keeps its detail where
            the box shows a part of it.
    """

    def __init__(self, spoil: float = 1.0, size_hw: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.spoil = spoil
        self.size_hw = size_hw

    @torch.no_grad()
    def forward(
        self, frames: Tensor, ids: Tensor, flip_to: Tensor, outlines: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            frames: (N, 3, H, W) uint8 BGR.
            ids: (N,) class ids.
            flip_to: (classes,) the class of each class's mirror image, -1 where it is no sign.
            outlines: (classes, H, W) 1 within the outline of each class's signs, 0 where nobody knows it;
                None prints no signs on paper.

        Returns:
            (N, 3, h, w) float32 in 0…255, and the class ids, changed where a flip changes the meaning.
        """
        x = frames.float() / 255.0
        if outlines is not None:
            x = cut_out(flatten(x, p=0.25 * self.spoil), outlines[ids], p=0.25 * self.spoil)
        mirrored = flip_to[ids]
        flip = (mirrored >= 0) & (torch.rand(len(ids), device=ids.device) < 0.5)
        x = reframe(x, flip, self.size_hw or (x.shape[-2], x.shape[-1]))
        x = color_jitter(x, brightness=3.5, contrast=2.0, saturation=1.6, tint=0.1)
        x = gloss(cast(x, p=0.35 * self.spoil), p=0.1 * self.spoil)
        x = haze(x, p=0.2 * self.spoil)
        x = weather(hide(x, p=0.35 * self.spoil), p=0.15 * self.spoil)
        x = noise(blur(coarsen(x, p=0.2 * self.spoil), p=0.3 * self.spoil), p=0.25 * self.spoil)
        return jpeg(x * 255.0, p=0.1 * self.spoil), torch.where(flip, mirrored, ids)


def reframe(frames: Tensor, flip: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Show (N, 3, H, W) pictures through other boxes: askew, shifted, squeezed, or with a side cut off.

    Args:
        frames: in 0…1; beyond its border a picture goes on as it is there.
        flip: (N,) which to mirror.
        size_hw: of the result.
    """
    n, device = len(frames), frames.device

    def draw(reach: float) -> Tensor:
        return (torch.rand(n, device=device) * 2 - 1) * reach

    side, aspect = torch.exp(draw(0.22)), torch.exp(draw(0.12))
    scale = torch.stack([side * aspect, side / aspect], dim=1)
    shift = torch.stack([draw(0.3), draw(0.3)], dim=1)  # of half a side
    # Of a quarter, one side loses up to three tenths: a quarter of the sign and the margin around it.
    lost = 0.3 * torch.rand(n, device=device) * (torch.rand(n, device=device) < 0.25)
    axis, end = torch.randint(2, (2, n), device=device)
    rows = torch.arange(n, device=device)
    shift[rows, axis] = shift[rows, axis] * (lost == 0) + lost * (2.0 * end - 1.0)
    scale[rows, axis] = torch.where(lost > 0, 1.0 - lost, scale[rows, axis])
    scale[:, 0] *= 1.0 - 2.0 * flip
    angle, shear = draw(math.radians(12)), draw(math.radians(8))
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros(n, device=device)
    turned = torch.stack([cos, shear - sin, zero, sin, cos, zero], dim=1).view(n, 2, 3)
    turned[:, :, :2] *= scale[:, None]
    turned[:, :, 2] = shift
    tilt = torch.stack([draw(0.15), draw(0.15)], dim=1) * (torch.rand(n, 1, device=device) < 0.3)
    grid = F.affine_grid(turned, [n, 1, *size_hw], align_corners=False)
    plane = F.affine_grid(torch.eye(2, 3, device=device)[None], [1, 1, *size_hw], align_corners=False)
    depth = 1.0 + (plane * tilt[:, None, None]).sum(dim=-1, keepdim=True)
    return F.grid_sample(frames, grid / depth, padding_mode="border", align_corners=False)


def cast(frames: Tensor, *, p: float) -> Tensor:
    """Give a share of (N, 3, H, W) pictures in 0…1 a colour cast of any hue, stronger on one side."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    n, device = len(chosen), frames.device
    hue, strength = 2 * math.pi * torch.rand(n, device=device), 0.5 * torch.rand(n, device=device)
    # Three cosines a third of a turn apart: their sum is 0, so that a cast changes the hue and not the light.
    turns = torch.tensor([0.0, 1.0, 2.0], device=device) * 2 * math.pi / 3
    gains = strength[:, None] * torch.cos(hue[:, None] + turns)
    slope = torch.rand(n, 2, 1, 1, device=device) * 1.2 - 0.6
    y = torch.linspace(-1, 1, frames.shape[-2], device=device)[:, None]
    x = torch.linspace(-1, 1, frames.shape[-1], device=device)
    share = 1.0 + slope[:, 0] * y + slope[:, 1] * x
    frames[chosen] = (frames[chosen] * torch.exp(gains[..., None, None] * share[:, None])).clamp(0, 1)
    return frames


def flatten(frames: Tensor, *, p: float) -> Tensor:
    """Make a share of (N, 3, H, W) pictures in 0…1 as flat as print: no shading, few and full colours."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    if not len(chosen):
        return frames
    picture = frames[chosen]
    height, width = picture.shape[-2:]
    inner = picture[..., height // 5 : -(height // 5) or None, width // 5 : -(width // 5) or None]
    light = inner.amax(dim=1).flatten(1)
    low, high = light.quantile(0.05, dim=1), light.quantile(0.9, dim=1)
    stretched = (picture - low[:, None, None, None]) / (high - low + 0.05)[:, None, None, None]
    # A steep curve is a press that knows ink and no ink.
    steep = 4.0 + 10.0 * torch.rand(len(chosen), 1, 1, 1, device=frames.device)
    middle = 0.35 + 0.25 * torch.rand(len(chosen), 1, 1, 1, device=frames.device)
    inked = torch.sigmoid(steep * (stretched - middle))
    share = 0.5 + 0.5 * torch.rand(len(chosen), 1, 1, 1, device=frames.device)
    frames[chosen] = torch.lerp(picture, inked, share)
    return frames


def cut_out(frames: Tensor, outlines: Tensor, *, p: float) -> Tensor:
    """Put a share of (N, 3, H, W) signs in 0…1 on white or coloured card, or before another picture.

    Args:
        outlines: (N, H, W) 1 within the outline of each, all 0 where nobody knows it.
        p: chance of each.
    """
    n, device = len(frames), frames.device
    chosen = (torch.rand(n, device=device) < p) & outlines.flatten(1).any(dim=1)
    pale = 0.75 + 0.25 * torch.rand(n, 1, 1, 1, device=device)
    card = pale * (1.0 - 0.1 * torch.rand(n, 3, 1, 1, device=device))
    card = torch.where(torch.rand(n, 1, 1, 1, device=device) < 0.2, torch.rand_like(card), card)
    other = frames.roll(1, dims=0)
    behind = torch.where(torch.rand(n, 1, 1, 1, device=device) < 0.5, card.expand_as(frames), other)
    share = (outlines * chosen[:, None, None])[:, None]
    return torch.where(chosen[:, None, None, None], torch.lerp(behind, frames, share), frames)


def gloss(frames: Tensor, *, p: float) -> Tensor:
    """Let a lamp shine on a share of (N, 3, H, W) pictures in 0…1: a soft white spot or streak."""
    chosen = torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten()
    n, device = len(chosen), frames.device
    draw = torch.rand(n, 6, 1, 1, device=device)
    y = torch.linspace(0, 1, frames.shape[-2], device=device)[:, None] - draw[:, 0]
    x = torch.linspace(0, 1, frames.shape[-1], device=device) - draw[:, 1]
    cos, sin = torch.cos(math.pi * draw[:, 2]), torch.sin(math.pi * draw[:, 2])
    along, across = (
        (x * cos + y * sin) / (0.1 + 0.5 * draw[:, 3]),
        (y * cos - x * sin) / (0.05 + 0.2 * draw[:, 4]),
    )
    light = (0.3 + 0.6 * draw[:, 5]) * torch.exp(-(along**2 + across**2) / 2)
    frames[chosen] = torch.lerp(frames[chosen], torch.ones_like(frames[chosen]), light[:, None])
    return frames


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


def blur(frames: Tensor, *, p: float) -> Tensor:
    """Blur a share of (N, 3, H, W) pictures in 0…1: by motion of 3 to 9 px or, more often, out of focus."""
    for index in torch.nonzero(torch.rand(len(frames), device=frames.device) < p).flatten().tolist():
        picture = np.ascontiguousarray(frames[index].permute(1, 2, 0).cpu().numpy())
        kind, size, angle = torch.rand(3).tolist()
        if kind < 2 / 3:
            picture = cv2.GaussianBlur(picture, (7, 7), 0.3 + 2.2 * size)
        else:
            picture = cv2.filter2D(picture, -1, streak(3 + 6 * size, math.pi * angle))
        frames[index] = torch.from_numpy(picture).permute(2, 0, 1).to(frames)
    return frames


def streak(length: float, angle: float) -> NDArray[np.float32]:
    """A kernel that smears along a line: all that is nearer to it than a pixel, weighted by the distance."""
    reach = math.ceil(length / 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    weights = np.clip(1 - np.abs(across), 0, 1) * np.clip(length / 2 + 0.5 - np.abs(along), 0, 1)
    return np.asarray(weights / weights.sum(), np.float32)


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
