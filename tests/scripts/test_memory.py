"""What is counted as kept is what autograd really keeps, and SegNet stays as small as promised."""

from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not promised twice")
@pytest.mark.parametrize("limit", ["the machine's", "a container's"])
def test_memory_that_is_not_there_is_refused_and_not_the_end_of_the_process(
    limit: str, tmp_path: Path
) -> None:
    (tmp_path / "memory.max").write_text("max" if limit == "the machine's" else "1000000000")
    (tmp_path / "memory.stat").write_text("anon 600000000\nfile 300000000\n")
    free_kb = 400_000 if limit == "the machine's" else 40_000_000
    program = f"""
from pathlib import Path
import torch
from training import malloc
found = malloc._kilobytes
malloc._kilobytes = lambda path: {{**found(path), "MemAvailable": {free_kb}, "SwapFree": 0}}
malloc.CGROUP = Path({str(tmp_path)!r})
malloc.fail_at_the_end()
kept = [torch.ones(25_000_000)]  # 100 MB
try:
    for _ in range(8):
        kept.append(torch.ones(25_000_000))
except RuntimeError as error:
    print(len(kept), error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout[0] in "1234" and "can't allocate memory" in done.stdout


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
