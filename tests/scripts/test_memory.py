"""What is counted as kept is what autograd really keeps, and SegNet stays as small as promised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.memory import BATCH, NETS, PROC, SIZE_HW, in_fresh_process, kept, kept_by
from training.segmentation.net import SegNet, SegNetCompact

ROOT = Path(__file__).resolve().parents[2]
SEGMENTATION = ROOT / "models" / "segnet.onnx"
FRAMES = (BATCH, 3, *SIZE_HW)


def test_a_storage_counts_once_and_parameters_not_at_all() -> None:
    x = torch.ones(1000, requires_grad=True)
    weight = torch.ones(1000, requires_grad=True)
    assert kept(x.exp) == 4000  # its result
    assert kept(lambda: x[:500] * x[500:]) == 4000  # two halves of one storage
    assert kept(lambda: x * weight) == 8000
    assert kept(lambda: x * weight, apart=[weight]) == 4000
    with torch.no_grad():
        assert kept(lambda: x * weight) == 0


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("make", [lambda: SegNetCompact(3), lambda: SegNet(3)], ids=["compact", "segnet"])
def test_counting_without_computing_gives_the_same(make: object, bf16: bool) -> None:
    net = make().train()
    frames = torch.rand(2, 3, 32, 64)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        really = kept(lambda: net(frames), apart=[*net.parameters(), *net.buffers()])
    assert kept_by(make, (2, 3, 32, 64), bf16=bf16) == pytest.approx(really, rel=0.01)


def test_segnet_trains_in_a_quarter_of_the_papers_memory() -> None:
    plain, norms, stages = (
        kept_by(NETS[f"segnet, {name}"], FRAMES, bf16=True)
        for name in ("no checkpointing", "norms computed again", "stages computed again")
    )
    assert plain <= 1.7e9  # the paper: 6.8 GB
    assert norms <= plain / 2
    assert stages <= plain / 10


@pytest.mark.skipif(not PROC.exists(), reason="only Linux tells a process's memory in /proc")
def test_the_memory_of_inference_is_that_of_one_process() -> None:
    size = SEGMENTATION.stat().st_size
    assert size < in_fresh_process(SEGMENTATION, sparing=True) < size + 150e6
