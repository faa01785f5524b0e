"""What a model file computes from the net's logits is what its numbers are said to be."""

from __future__ import annotations

import torch
from torch import nn

from training.signs.graph import SignGraph
from training.signs.task import known_logit


def test_scores_and_known() -> None:
    logits = 3.0 * torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    scores, known = SignGraph(nn.Identity(), temperature=0.4, known_offset=1.3).results(logits)
    torch.testing.assert_close(scores, (logits[:, :-1] / 0.4).softmax(dim=1))
    torch.testing.assert_close(known, (known_logit(logits) - 1.3).sigmoid())
