"""What a model file computes from the net's logits is what its numbers are said to be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.signs.graph import SignGraph, lower_offset, without_side
from training.signs.task import known_logit


def test_scores_and_known() -> None:
    logits = 3.0 * torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    scores, known = SignGraph(nn.Identity(), temperature=0.4, known_offset=1.3).results(logits)
    torch.testing.assert_close(scores, (logits[:, :-1] / 0.4).softmax(dim=1))
    torch.testing.assert_close(known, (known_logit(logits) - 1.3).sigmoid())


def sure(known: Tensor) -> Tensor:
    """Logits of two classes and none whose ``known_logit`` is as given."""
    return torch.stack([known, torch.full_like(known, -60.0), torch.zeros_like(known)], dim=1)


def test_known_is_lowered_for_spoilt_signs_as_far_as_the_background_allows() -> None:
    signs = sure(torch.linspace(0.0, 10.0, 101))
    quiet, loud = sure(torch.full((1000,), -5.0)), sure(torch.linspace(-5.0, 2.0, 1001))
    passing = known_logit(loud) >= lower_offset(4.0, signs, loud)
    assert passing.sum() == 2  # of 1,001
    assert lower_offset(4.0, signs, quiet) == pytest.approx(0.3)  # 97 of 100 pass
    assert lower_offset(4.0, signs, loud) == pytest.approx(2.0, abs=0.02)
    assert lower_offset(0.1, signs, quiet) == pytest.approx(0.1)  # clean signs need it lower
    assert lower_offset(1.0, signs, loud) == pytest.approx(1.0)  # they must pass, whatever the background


def test_a_quarter_of_the_sign_is_cut_off_at_each_side_in_turn() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 100).expand(1, 100, 100)  # to the right
    frames = torch.cat([ramp, ramp.transpose(1, 2), ramp])[None].repeat(80, 1, 1, 1)
    seen = without_side(frames)
    assert seen.shape == frames.shape
    left, right = seen[:, 0, 50, 0], 1 - seen[:, 0, 50, -1]
    top, bottom = seen[:, 1, 0, 50], 1 - seen[:, 1, -1, 50]
    lost = torch.stack([left, right, top, bottom], dim=1)
    assert ((lost > 0.1).sum(dim=1) == 1).all()
    assert lost.amax(dim=1).sub(0.29).abs().max() < 0.02
    assert ((lost > 0.1).sum(dim=0) > 8).all()
