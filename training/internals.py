"""Everything that reads or sets private parts of Lightning and torch, each in a function of its own.

Private parts may change with any release, so nothing else touches them, and
``tests/training/test_internals.py`` has a test for each function that fails if the library changed it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.cli import LightningCLI
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from training.datasets.images import DataError


class PlainCommandLine(LightningCLI):
    """Lightning's command line, without what it takes from a checkpoint.

    With ``--ckpt_path``, Lightning replaces the settings of the command line by those of the checkpoint, and
    does not say so. It has no option to leave them alone.
    """

    def _parse_ckpt_path(self) -> None:
        """Leave the settings alone."""

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """As Lightning does; an accelerator or a strategy that does not exist is an error of the user's."""
        try:
            return super().instantiate_trainer(**kwargs)
        except ValueError as error:
            raise DataError(f"--trainer: {error}") from error


def move_average(callback: WeightAveraging, device: torch.device) -> None:
    """Move the averaged net of a callback to a device.

    Lightning makes the averaged net before the net itself moves to a GPU. It would copy all weights to the
    CPU in every step, and it has no public way to the averaged net.
    """
    average = callback._average_model
    assert average is not None, "Lightning makes it in setup()"
    average.to(device)


def averaged(callback: WeightAveraging) -> L.LightningModule:
    """The averaged copy of the module that a callback keeps; Lightning has no public way to it."""
    average = callback._average_model
    assert average is not None, "Lightning makes it in setup()"
    return average.module  # type: ignore[return-value]  # a Module to AveragedModel


def resume_at_next_epoch(trainer: L.Trainer) -> None:
    """Let a resumed training begin with the epoch after the one that its checkpoint ends.

    If ``max_steps`` is set, Lightning goes on as if that epoch had not ended, so it repeats its end.
    """
    trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]


def planned_steps(checkpoint: Mapping[str, Any]) -> int:
    """How many steps the one-cycle schedule in a checkpoint was planned for.

    Only the state of the scheduler has this number, and nobody documents its format.
    """
    return int(checkpoint["lr_schedulers"][0]["total_steps"])


def skip_loader_seed() -> None:
    """Draw the random number that a data loader draws when an epoch begins.

    Each epoch begins with a seed for the workers of its loader. In a resumed training the loader draws this
    seed before the state of the random numbers comes back from the checkpoint.
    """
    torch.empty((), dtype=torch.int64).random_()


def global_seed() -> int | None:
    """The seed that Lightning set last, None if it set none. Lightning keeps it in a variable alone."""
    text = os.environ.get("PL_GLOBAL_SEED")
    return int(text) if text else None


def cpu_computes_in_bf16() -> bool:
    """Whether this processor has instructions for bf16; torch has no public name for this question.

    Without them torch emulates bf16, which is far slower than fp32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def fake_tensors() -> FakeTensorMode:
    """A context in which tensors have a shape and no content, so that nothing is computed."""
    return FakeTensorMode()


def storage_key(tensor: Tensor) -> int:
    """A number that all tensors with the same storage share.

    Public ``data_ptr`` is 0 for each fake tensor. The number is only unique while the storage lives.
    """
    return int(tensor.untyped_storage()._cdata)
