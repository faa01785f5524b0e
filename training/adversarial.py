"""Adversarial noise: what misleads a net most within a radius, by captum's attacks.

Frames are (N, 3, H, W) in 0…255; the radius is the largest change of a value (L∞).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from captum.robust import FGSM, PGD
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]  # (N, K) logits and (N,) class ids to (N,), which attacks raise
Net = Callable[[Tensor], Tensor]  # frames to logits


def cross_entropy(classes: int | None = None) -> Loss:
    """The loss of training.

    Args:
        classes: the net shall take a picture for another of the first so many classes; None counts all.
    """

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(logits[:, :classes].float(), wanted, reduction="none")

    return loss


def margin(classes: int | None = None) -> Loss:
    """How far the best other class is above the true one (Carlini & Wagner 2017).

    A sure net has hardly a gradient of the cross entropy, which hides how easily it is misled; this has one.

    Args:
        classes: as above.
    """

    def loss(logits: Tensor, wanted: Tensor) -> Tensor:
        own = logits[:, :classes].float()
        others = own.scatter(1, wanted[:, None], -torch.inf)
        return others.amax(dim=1) - own.gather(1, wanted[:, None])[:, 0]

    return loss


def fgsm(net: Net, frames: Tensor, ids: Tensor, loss: Loss, *, radius: float) -> Tensor:
    """One step of the whole radius (Goodfellow et al. 2015)."""
    attack = FGSM(net, loss, lower_bound=0, upper_bound=255)
    attack.zero_thresh = 0.0
    with _gradients():
        noisy: Tensor = attack.perturb(frames.clone(), radius, ids.clone())
    return noisy.detach()


def pgd(net: Net, frames: Tensor, ids: Tensor, loss: Loss, *, radius: float, steps: int) -> Tensor:
    """Many steps from a start drawn within the radius (Madry et al. 2018)."""
    attack = PGD(net, loss, lower_bound=0, upper_bound=255)
    # By default captum takes gradients below 1e-6 for zero, and a sure net has no larger ones at 0…255.
    attack.fgsm.zero_thresh = 0.0
    with _gradients():
        step = 2.5 * radius / steps
        noisy: Tensor = attack.perturb(frames.clone(), radius, step, steps, ids.clone(), random_start=True)
    return noisy.detach()


@contextmanager
def _gradients() -> Iterator[None]:
    """Within it there are gradients, for clones of tensors also where Lightning validates without any.

    Captum warns that it switches them on, which no caller can do for the steps inside.
    """
    with torch.inference_mode(False), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Input Tensor .* did not already require gradients")
        yield
