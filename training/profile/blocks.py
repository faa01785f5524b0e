"""Profile of a net by its blocks, as PyTorch runs them on a CPU."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from training.checkpoint import read_checkpoint
from training.export import restore
from training.profile.measured import Part, Profile

WARM_UP = 2  # runs that do not count


def profile_checkpoint(checkpoint: Path, *, runs: int, threads: int) -> Profile:
    """Run the net of a checkpoint block by block.

    Args:
        checkpoint: what ``fit`` wrote.
        runs: that are timed.
        threads: of PyTorch, while it is timed.

    Raises:
        DataError: the checkpoint cannot be read.
    """
    module, data = restore(read_checkpoint(checkpoint))
    size_hw = (int(data.size_hw[0]), int(data.size_hw[1]))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        between_ms, parts = measured(module.net.eval(), size_hw, runs=runs)
    finally:
        torch.set_num_threads(before)
    return Profile(checkpoint.name, "blocks", size_hw, threads, between_ms, parts)


@torch.no_grad()
def measured(net: nn.Module, size_hw: tuple[int, int], *, runs: int) -> tuple[float, tuple[Part, ...]]:
    """Milliseconds between the blocks, and the blocks of a net, in the order in which they run first."""
    blocks = blocks_of(net)
    frames = torch.rand(1, 3, *size_hw) * 255.0
    starts: dict[str, float] = {}
    taken_ms: dict[str, float] = defaultdict(float)  # in one run; a block may run several times
    written: dict[str, int] = defaultdict(int)

    def begin(name: str) -> Any:
        def hook(*_: object) -> None:
            starts[name] = perf_counter()

        return hook

    def end(name: str) -> Any:
        def hook(_: nn.Module, __: object, output: Any) -> None:
            taken_ms[name] += (perf_counter() - starts[name]) * 1000.0
            written[name] += _bytes(output)

        return hook

    handles = [module.register_forward_pre_hook(begin(name)) for name, module in blocks.items()]
    handles += [module.register_forward_hook(end(name)) for name, module in blocks.items()]
    between: list[float] = []
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(WARM_UP + runs):
        taken_ms.clear()
        written.clear()
        start = perf_counter()
        net(frames)
        between.append((perf_counter() - start) * 1000.0 - sum(taken_ms.values()))
        for name, block_ms in taken_ms.items():
            times[name].append(block_ms)
    for handle in handles:
        handle.remove()
    with FlopCounterMode(display=False) as counter:
        net(frames)
    counts = counter.get_flop_counts()
    prefix = type(net).__name__
    parts = tuple(
        Part(
            name=name,
            kind=name,
            count=sum(1 for module in blocks[name].modules() if not list(module.children())),
            parameters=sum(parameter.numel() for parameter in blocks[name].parameters()),
            macs=sum(counts.get(f"{prefix}.{name}", {}).values()) // 2,
            activation_bytes=written[name],
            time_ms=float(np.min(times[name][WARM_UP:])),
        )
        for name in times
    )
    return float(np.min(between[WARM_UP:])), parts


def blocks_of(net: nn.Module) -> dict[str, nn.Module]:
    """The net's children; a list of modules counts as its members."""
    found: dict[str, nn.Module] = {}
    for name, child in net.named_children():
        if isinstance(child, (nn.ModuleList, nn.ModuleDict)):
            found |= {f"{name}.{inner}": module for inner, module in child.named_children()}
        else:
            found[name] = child
    return found


def _bytes(output: Any) -> int:
    if isinstance(output, Tensor):
        return output.numel() * output.element_size()
    return sum(_bytes(part) for part in output) if isinstance(output, (tuple, list)) else 0
