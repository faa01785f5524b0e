"""Several processes that train one net: data-parallel training (Li et al. 2020) by Lightning's DDP.

Each process has a copy of the net, reads the whole data set and learns from its part of each epoch. Gradients
are averaged in every step, so that all copies stay the same. Random numbers differ by process, or all would
cut the same crops. The first process alone prints, logs, writes checkpoints and exports.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only
from torch import distributed
from torch.utils.data import DistributedSampler

from training.datasets.images import DataError

Value = TypeVar("Value")


class Together(Callback):
    """Gives each process random numbers of its own, and refuses processes that read different data."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Before the first batch is drawn; DDP has given all processes the weights of the first.

        Raises:
            DataError: the data set of another process differs.
        """
        if trainer.world_size == 1:
            return
        data = cast(Any, trainer).datamodule
        read = gathered((len(data.train), data.kept_aside, tuple(data.labels)))
        if others := [number for number, one in enumerate(read) if one != read[0]]:
            raise DataError(
                f"process {others[0]} reads other data from {data.root} than the first: {read[others[0]][0]} "
                f"pictures to learn from and not {read[0][0]}, or others to validate on; give each machine "
                "the same files"
            )
        if trainer.global_rank:
            torch.manual_seed(torch.initial_seed() + trainer.global_rank)


class EachEpochOthers(DistributedSampler[int]):
    """The numbers of the crops of one epoch, or a process's part of them; the next has those that follow.

    Lightning calls ``set_epoch`` as it does for samplers of torch, and leaves a ``DistributedSampler`` alone.

    Args:
        count: of an epoch.
        trainer: says which process this is; None if there is only one.
        batch_size: the part of a process is a multiple of it, if there are several.
    """

    def __init__(self, count: int, trainer: L.Trainer | None = None, *, batch_size: int = 1) -> None:
        processes, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        super().__init__(range(count), processes, rank, shuffle=False)  # type: ignore[arg-type]  # has a length
        self.count = count
        if processes > 1:
            self.num_samples = count // processes // batch_size * batch_size

    def __iter__(self) -> Iterator[int]:
        first = self.epoch * self.count + self.rank * self.num_samples
        return iter(range(first, first + self.num_samples))


def gathered(value: Value) -> list[Value]:
    """What each process has, the first one's first. All processes must ask for it."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def part() -> None:
    """End what the processes did together. Measures of an export would wait for the others in vain."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


@contextmanager
def first_alone_prints() -> Iterator[None]:
    """Silence the standard output of the other processes; errors are reported by all."""
    if not getattr(rank_zero_only, "rank", 0):  # Lightning sets it, and its types lack it
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield
