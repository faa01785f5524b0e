"""The batch size finder: doubles the batch until memory is out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.tuner.tuning import Tuner
from torch.utils.data import ConcatDataset, DataLoader

DOUBLINGS = 5  # at most


@dataclass(frozen=True)
class BatchSize:
    """The largest batch that fits into memory.

    Attributes:
        size: frames a step.
        steps: of an epoch with this size.
        steps_before: of an epoch with the size that the user asked for.
    """

    size: int
    steps: int
    steps_before: int


def find_batch_size(
    model: L.LightningModule, data: Any, *, accelerator: str, devices: Any, precision: Any, folder: Path
) -> BatchSize:
    """Try batch sizes on a trainer of their own, and leave the largest one that fits in the data module.

    The schedule of the real trainer must be planned with the final size, so it cannot be the one that tries.

    Args:
        model: what is trained; keeps its weights.
        data: the LightningDataModule, a ``training.tasks.Data``; keeps the size, also as a hyperparameter,
            which goes into the checkpoint and the model file.
        accelerator: as the Trainer takes it.
        devices: likewise.
        precision: likewise.
        folder: for files that exist while it tries.

    Raises:
        OutOfMemoryError: a batch of one does not fit.
    """
    asked = data.batch_size
    data.setup()
    length = len(data.train_dataloader().dataset)
    trial = L.Trainer(
        accelerator=accelerator,
        devices=devices,
        default_root_dir=folder,
        precision=precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data.train_dataloader = lambda: _each_twice(data)
    try:
        Tuner(trial).scale_batch_size(
            model,
            datamodule=data,
            init_val=min(asked, length),
            max_trials=DOUBLINGS + 1,
            max_val=asked * 2**DOUBLINGS + 1,  # Lightning takes whatever reaches it without a trial
        )
    except ValueError as error:
        if data.batch_size > 0:
            raise
        raise torch.OutOfMemoryError("not even one picture fits") from error
    finally:
        del data.train_dataloader
    size = min(data.batch_size, length)
    steps_before, steps = _steps(data, asked), _steps(data, size)
    data.hparams["batch_size"] = size
    return BatchSize(size, steps, steps_before)


def report(batch: BatchSize) -> None:
    """Print the batch size, and what follows from it for the length of the training."""
    print(f"batch size: {batch.size}")
    if batch.steps < batch.steps_before:
        print(
            f"an epoch now has {batch.steps} steps instead of {batch.steps_before}, and what counts for a "
            f"net is the number of steps: give {batch.steps_before / batch.steps:.0f} times as many "
            "--trainer.max_epochs"
        )


def _each_twice(data: Any) -> DataLoader[Any]:
    """A loader with each crop twice.

    Lightning stops doubling when a batch holds the whole data set, and then forgets whether it fitted.
    """
    own = type(data).train_dataloader(data)
    return DataLoader(ConcatDataset([own.dataset, own.dataset]), own.batch_size, shuffle=True)


def _steps(data: Any, batch_size: int) -> int:
    """Steps of an epoch with batches of this size, which the data module keeps."""
    data.batch_size = batch_size
    return len(data.train_dataloader())
