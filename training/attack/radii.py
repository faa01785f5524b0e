"""Accuracy against radius: noise that is made with the net's gradients, and what model files say of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from training import adversarial
from training.attack.measured import ATTACKS, FGSM, NET, PGD, STRONGEST, Example
from training.attack.victim import Victim
from training.pieces import Pieces

BATCH = 32
EXAMPLES = 12  # crops that are kept to be shown


@dataclass(frozen=True)
class Effort:
    """How hard the attacks try.

    Attributes:
        radii: of 255, smallest first, without 0.
        steps: of PGD; the strongest attack takes twice as many.
        starts: of the strongest attack.
    """

    radii: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    steps: int = 20
    starts: int = 5

    @property
    def radii_given(self) -> str:
        """As the command line has them."""
        return " ".join(f"{radius:g}" for radius in self.radii)


@dataclass
class Counts:
    """Crops that are read right, until now.

    Attributes:
        crops: all of them.
        right: by target, attack and radius.
        examples: crops that the strongest attack misled at the smallest radius.
    """

    crops: int = 0
    right: dict[tuple[str, str, float], int] = field(default_factory=lambda: defaultdict(int))
    examples: list[Example] = field(default_factory=list)

    def accuracy(
        self, targets: Sequence[str], radii: Sequence[float]
    ) -> dict[str, dict[str, tuple[float, ...]]]:
        """By target and attack, one value a radius."""
        return {
            target: {
                attack: tuple(self.right[target, attack, radius] / self.crops for radius in radii)
                for attack in ATTACKS
            }
            for target in targets
        }


def count(
    victim: Victim,
    files: Mapping[str, Any],
    items: Sequence[Any],
    effort: Effort,
    pieces: Pieces | None = None,
) -> Counts:
    """Attack all crops.

    Ctrl-C ends it early: what is given then is about the crops that were done until then.

    Args:
        victim: whose net is attacked.
        files: model files by name.
        items: the crops.
        effort: how hard the attacks try.
        pieces: where what was counted is kept; None keeps nothing.

    Raises:
        KeyboardInterrupt: before the first crops were done.
    """
    counts, pieces = Counts(), pieces or Pieces()
    try:
        for start in track(range(0, len(items), BATCH), "Attacking"):
            batch = items[start : start + BATCH]
            attacked = partial(_attacked, victim, files, batch, effort, seed=start)
            right, examples = pieces.once(f"crops {start}", attacked)
            counts.crops += len(batch)
            counts.examples += examples[: EXAMPLES - len(counts.examples)]
            for key, number in right.items():
                counts.right[key] += number
    except KeyboardInterrupt:
        if not counts.crops:
            raise
    return counts


def _attacked(
    victim: Victim, files: Mapping[str, Any], items: Sequence[Any], effort: Effort, *, seed: int
) -> tuple[dict[tuple[str, str, float], int], list[Example]]:
    """How many of a batch each target reads right, by attack and radius; and crops to show."""
    torch.manual_seed(seed)  # of the starts: a run that is resumed draws what it would have
    frames, ids = victim.read(items)
    right: dict[tuple[str, str, float], int] = {}
    fooled = answers(victim, frames) != ids
    shown = frames.clone()
    radius_of = torch.zeros(len(ids))
    clean = _right(victim, files, frames, ids)
    right.update({(target, attack, 0.0): number for target, number in clean.items() for attack in ATTACKS})
    for radius in effort.radii:
        by_fgsm = as_bytes(
            adversarial.fgsm(victim.logits, frames, ids, adversarial.cross_entropy(), radius=radius)
        )
        by_pgd = as_bytes(
            adversarial.pgd(
                victim.logits, frames, ids, adversarial.cross_entropy(), radius=radius, steps=effort.steps
            )
        )
        before = fooled.clone()
        for noisy in (by_fgsm, by_pgd):
            fooled = _keep(victim, noisy, ids, fooled, shown)
        fooled = strongest(victim, frames, ids, fooled, shown, radius=radius, effort=effort)
        radius_of[fooled & ~before] = radius
        for attack, noisy in ((FGSM, by_fgsm), (PGD, by_pgd), (STRONGEST, shown)):
            for target, number in _right(victim, files, noisy, ids).items():
                right[target, attack, radius] = number
    misled = answers(victim, shown)
    examples = [
        Example(
            victim.path(item).name,
            float(radius_of[place]),
            picture(frames[place]),
            picture(shown[place]),
            victim.labels[int(ids[place])],
            victim.labels[int(misled[place])],
        )
        for place, item in enumerate(items)
        if radius_of[place] > 0
    ]
    return right, examples


def strongest(
    victim: Victim,
    frames: Tensor,
    ids: Tensor,
    fooled: Tensor,
    shown: Tensor,
    *,
    radius: float,
    effort: Effort,
) -> Tensor:
    """Attack what withstood until now by the margin loss, from several starts.

    Args:
        victim: whose net is attacked.
        frames: (N, 3, H, W) without noise.
        ids: (N,).
        fooled: (N,) crops that are misread already; noise of a smaller radius is within this one.
        shown: (N, 3, H, W), where the noisy crops are kept.
        radius: of the noise.
        effort: how many steps and starts.

    Returns:
        (N,) which crops are misread now.
    """
    for _ in range(effort.starts):
        left = torch.nonzero(~fooled)[:, 0]
        if not len(left):
            break
        noisy = shown.clone()
        noisy[left] = as_bytes(
            adversarial.pgd(
                victim.logits,
                frames[left],
                ids[left],
                adversarial.margin(),
                radius=radius,
                steps=2 * effort.steps,
            )
        )
        fooled = _keep(victim, noisy, ids, fooled, shown)
    return fooled


def _keep(victim: Victim, noisy: Tensor, ids: Tensor, fooled: Tensor, shown: Tensor) -> Tensor:
    """Take over noisy crops where none has misled the net yet, and say which are misread now."""
    shown[~fooled] = noisy[~fooled]
    return fooled | (answers(victim, shown) != ids)


def _right(victim: Victim, files: Mapping[str, Any], frames: Tensor, ids: Tensor) -> dict[str, int]:
    """How many pictures each target reads right."""
    given = everyone(victim, files, frames)
    return {target: int((own == ids.numpy()).sum()) for target, own in given.items()}


def everyone(victim: Victim, files: Mapping[str, Any], frames: Tensor) -> dict[str, NDArray[np.int64]]:
    """(N,) class ids by target: the net's and those of the model files."""
    bytes_nhwc = frames.permute(0, 2, 3, 1).contiguous().numpy().astype(np.uint8)
    given = {name: victim.answers(model, bytes_nhwc) for name, model in files.items()}
    return {NET: answers(victim, frames).numpy(), **given}


@torch.no_grad()
def answers(victim: Victim, frames: Tensor) -> Tensor:
    """(N,) class ids, the net's."""
    return victim.logits(frames).argmax(dim=1)


def as_bytes(frames: Tensor) -> Tensor:
    """As a camera gives them: whole numbers, which are still within the radius of a whole number."""
    return frames.round().clamp(0, 255)


def picture(frame: Tensor) -> NDArray[np.uint8]:
    """(3, H, W) to (H, W, 3) uint8."""
    return np.ascontiguousarray(frame.permute(1, 2, 0).numpy().round().clip(0, 255).astype(np.uint8))
