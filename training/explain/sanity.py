"""Sanity: whether an explanation depends on what the net has learnt (Adebayo et al. 2018).

A method that shows the same of a net with random weights shows the picture, as an edge detector does, and not
the reasons of the net.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn
from torchmetrics.functional import spearman_corrcoef

from training.explain.methods import Heat
from training.explain.question import Question


def randomised(asked: Question, seed: int = 0) -> Question:
    """The same question to a net of the same architecture that has learnt nothing."""
    # Both in one copy, so that the layer stays a part of the model.
    model, layer = copy.deepcopy((asked.model, asked.layer))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            forget(module)
    return replace(asked, model=model.requires_grad_(False), layer=layer)


def forget(module: nn.Module) -> None:
    """Give a module the weights that it had before training."""
    reset = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()


def alike(one: Heat, other: Heat) -> float:
    """Rank correlation (Spearman) of two maps, -1…1; 0 if one of them is the same everywhere."""
    return float(spearman_corrcoef(*(torch.from_numpy(heat).flatten() for heat in (one, other))))
