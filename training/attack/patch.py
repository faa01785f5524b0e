"""A universal patch: one small picture that, anywhere on a sign, makes the net misread it.

Brown et al. 2017, "Adversarial patch". A patch that only has to exist in a file may have any pixels. A
sticker is printed and photographed: it is learnt under turns, sizes, light and noise drawn anew in each step
(expectation over transformation, Athalye et al. 2018), in colours that printers have, without fine grain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from training import adversarial
from training.attack.radii import as_bytes
from training.attack.victim import Victim

CELLS = 16  # of a patch, each way
BATCH = 32
LEAST_MARGIN = -5.0  # of a crop's own class over the others; beyond, a crop is misread enough


@dataclass(frozen=True)
class Print:
    """What happens to a patch between file and net.

    Attributes:
        name: for people.
        turn_deg: at most, each way.
        zoom: largest factor on its size, each way.
        light: largest factor on its brightness, each way.
        noise: standard deviation, of 255.
        ink: smallest and largest value that it has.
        smoothness: weight of differences between neighbouring cells.
    """

    name: str
    turn_deg: float = 0.0
    zoom: float = 1.0
    light: float = 1.0
    noise: float = 0.0
    ink: tuple[float, float] = (0.0, 255.0)
    smoothness: float = 0.0


DIGITAL = Print("patch")
STICKER = Print("sticker", 15.0, 1.15, 1.3, 6.0, (25.0, 225.0), 0.02)


def learn(
    victim: Victim, frames: Tensor, ids: Tensor, how: Print, *, size: float, steps: int, seed: int = 0
) -> Tensor:
    """Learn a patch.

    Args:
        victim: whose net is misled.
        frames: (N, 3, H, W) crops to learn from.
        ids: (N,).
        how: what the patch must survive.
        size: its side, as a share of the crop's.
        steps: each with BATCH crops.
        seed: of crops and places.

    Returns:
        (3, CELLS, CELLS) in 0…255.
    """
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(3, CELLS, CELLS, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.15)
    margin = adversarial.margin()
    for _ in track(range(steps), f"Learning a {how.name}"):
        chosen = torch.randint(len(frames), (min(BATCH, len(frames)),), generator=generator)
        patch = inked(raw, how)
        placed = place(frames[chosen], patch, how, size=size, generator=generator)
        loss = -margin(victim.logits(placed), ids[chosen]).clamp(max=-LEAST_MARGIN).mean()
        loss = loss + how.smoothness * _grain(patch)
        (raw.grad,) = torch.autograd.grad(loss, raw)
        optimizer.step()
    return inked(raw, how).detach()


def inked(raw: Tensor, how: Print) -> Tensor:
    """Free numbers to colours in the printer's range."""
    low, high = how.ink
    return low + (high - low) * torch.sigmoid(raw)


def grey() -> Tensor:
    """A patch that only hides."""
    return torch.full((3, CELLS, CELLS), 128.0)


def place(frames: Tensor, patch: Tensor, how: Print, *, size: float, generator: torch.Generator) -> Tensor:
    """Lay the patch on each crop, at a place drawn by chance on the sign.

    Args:
        frames: (N, 3, H, W).
        patch: (3, S, S).
        how: what is drawn besides the place.
        size: of its side, as a share of the crop's.
        generator: decides.
    """
    count = len(frames)

    def drawn(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    turn = torch.deg2rad(drawn(-how.turn_deg, how.turn_deg))
    side = size * torch.exp(drawn(-math.log(how.zoom), math.log(how.zoom)))
    reach = 0.75 - size  # of its middle from the crop's; a sign fills about three quarters
    x, y = drawn(-reach, reach), drawn(-reach, reach)
    cosine, sine = torch.cos(turn) / side, torch.sin(turn) / side
    # From places in the crop, -1…1, to places in the patch.
    theta = torch.stack(
        [
            torch.stack([cosine, sine, -(cosine * x + sine * y)], dim=1),
            torch.stack([-sine, cosine, sine * x - cosine * y], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, list(frames.shape), align_corners=False)
    light = torch.exp(drawn(-math.log(how.light), math.log(how.light)))[:, None, None, None]
    colors = F.grid_sample(patch.expand(count, -1, -1, -1), grid, padding_mode="border", align_corners=False)
    shares = F.grid_sample(torch.ones(count, 1, *patch.shape[1:]), grid, align_corners=False)
    noise = how.noise * torch.randn(frames.shape, generator=generator) if how.noise else 0.0
    seen = (colors * light + noise).clamp(0, 255)
    return torch.lerp(frames, seen, shares)


def patched(frames: Tensor, patch: Tensor, how: Print, *, size: float, seed: int = 1) -> Tensor:
    """Crops with the patch as a camera gives them; the same seed gives the same places for any patch."""
    with torch.no_grad():
        return as_bytes(place(frames, patch, how, size=size, generator=torch.Generator().manual_seed(seed)))


def _grain(patch: Tensor) -> Tensor:
    """Mean difference between neighbouring cells."""
    return patch.diff(dim=1).abs().mean() + patch.diff(dim=2).abs().mean()
