"""What a model file computes from the net's logits is what its numbers are said to be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.segmentation.graph import MaskGraph


@pytest.mark.parametrize("temperature", [0.4, 2.0])
def test_mask_and_confidence(temperature: float) -> None:
    class Net(nn.Module):
        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            return frames / 100.0

    frames = torch.randperm(144, generator=torch.Generator().manual_seed(0)).byte().view(2, 4, 6, 3)
    mask, confidence = MaskGraph(Net(), temperature=temperature)(frames)
    likely, wanted = (frames / 100.0 / temperature).softmax(dim=-1).max(dim=-1)
    assert torch.equal(mask.long(), wanted)
    torch.testing.assert_close(confidence.float(), 255.0 * likely, rtol=0.0, atol=0.51)
