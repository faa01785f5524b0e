"""One training step of the paper's SegNet in a process of its own, and how much memory it took.

    python -m course.segnet_step --checkpointing stages --bf16

A fresh process has no memory that others freed before, so its peak is what the step needs. It prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import Tensor
from torch.nn import functional as F

from scripts.memory import CLASSES, resident
from training.malloc import return_freed
from training.segmentation.net import SegNet

RATE = 0.01  # of learning


def step(checkpointing: str, *, bf16: bool, batch: int, size_hw: tuple[int, int]) -> dict[str, float]:
    """Make the net, learn from one random batch, and say what that took.

    Returns:
        ``seconds`` of the step, and ``peak_mb``: by how many 10⁶ bytes the process was larger at most than
        before there was a net. Weights, gradients, batch and the library's own buffers are in it.
    """
    return_freed()
    before = resident("VmRSS")
    torch.manual_seed(0)
    net = SegNet(CLASSES, checkpointing=checkpointing).train()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    for weights in net.parameters():
        weights.register_post_accumulate_grad_hook(learn)  # type: ignore[no-untyped-call]
    frames = torch.randint(256, (batch, 3, *size_hw), dtype=torch.uint8).float()
    ids = torch.randint(CLASSES, (batch, *size_hw))
    start = time.monotonic()
    # Without its cache, autocast rounds weights again for each stage, and holds no second copy of them.
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16, cache_enabled=False):
        # One pixel of each 2×2 window is enough to learn from, as this project's trainings do.
        logits = net.sampled(frames.to(memory_format=torch.channels_last), 0, 0)
    F.cross_entropy(logits.float(), ids[:, ::2, ::2]).backward()  # type: ignore[no-untyped-call]
    seconds = time.monotonic() - start
    return {"seconds": round(seconds, 1), "peak_mb": round((resident("VmHWM") - before) / 1e6)}


def learn(weights: Tensor) -> None:
    """Change weights as soon as their gradient is there (SGD), and free it: all of them take 118 MB."""
    with torch.no_grad():
        weights.sub_(weights.grad, alpha=RATE)  # type: ignore[arg-type]  # a hook is called with a gradient
    weights.grad = None


def main() -> None:
    """Take one step and print what it took."""
    parser = argparse.ArgumentParser(
        prog="python -m course.segnet_step", description="Take one training step of the paper's SegNet."
    )
    parser.add_argument("--checkpointing", choices=SegNet.CHECKPOINTING, default="none")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size_hw", type=int, nargs=2, default=(360, 480), metavar=("H", "W"))
    given = parser.parse_args()
    height, width = given.size_hw
    print(json.dumps(step(given.checkpointing, bf16=given.bf16, batch=given.batch, size_hw=(height, width))))


if __name__ == "__main__":
    main()
