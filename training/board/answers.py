"""Answers while a training goes on: what the averaged net says by now about a few validation pictures."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from torch import nn

from perception import tasks as runtime
from perception.frames import Frame
from perception.spec import ModelSpec
from training.board.pictures import show_answers, some_frames, some_of
from training.callbacks import RunningAverage
from training.graph import outputs
from training.tasks import column

SHARE = 0.02  # of a training's time, at most


class GraphEngine:
    """An engine that is a graph of PyTorch: a model before it is a file.

    Args:
        graph: what an export would write.
        spec: what would be in the file.
    """

    device = "cpu"

    def __init__(self, graph: nn.Module, spec: ModelSpec) -> None:
        self.spec = spec
        self._graph = graph

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``."""
        return outputs(self._graph, self.spec.task, torch.from_numpy(frames))

    def close(self) -> None:
        """Nothing is to be freed."""


class Answers(Callback):
    """Writes the answers after the first epoch, and again whenever that takes little of the time since."""

    def __init__(self) -> None:
        self._next = 0.0
        self._frames: Sequence[Frame] = ()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write them, if it is time."""
        if not trainer.is_global_zero or not isinstance(trainer.logger, TensorBoardLogger):
            return
        begin = time.monotonic()
        if begin < self._next or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        try:
            self._write(trainer)
            end = time.monotonic()
            self._next = end + (end - begin) / SHARE
        except Exception as error:  # whatever it is, the training is whole without these pictures
            print(f"TensorBoard does not show answers while this training goes on: {error!r}")
            self._next = float("inf")

    def _write(self, trainer: Any) -> None:
        data = trainer.datamodule
        average = next(one for one in trainer.callbacks if isinstance(one, RunningAverage))
        with torch.random.fork_rng(), torch.no_grad(), redirect_stdout(None):
            module: Any = copy.deepcopy(average.averaged).cpu()
            graph, fields = column(module.TASK, "graph")(module, data, None)
            spec = ModelSpec(task=module.TASK, labels=module.labels, input_hw=data.size_hw, **fields)
            self._frames = self._frames or some_of(some_frames(data)[0])
            model = runtime.resolve(runtime.TASKS[spec.task].runner)(GraphEngine(graph, spec))
            show_answers(trainer.logger.experiment, model, self._frames, step=trainer.global_step)
