"""A training that several processes run together: ``python -m tests.training.together``, and fit's options.

A program of its own, because Lightning starts each further process by the command line of the first.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from perception import tasks as runtime
from tests import toy_runtime, toy_training
from training import fit, tasks
from training.optimizer import one_cycle

TASK = replace(toy_training.TASK, module="tests.training.together:ToneTask")
STOPPED = "stopped.ckpt"  # a copy of what a training would have left that was stopped after two epochs
EPOCHS = 4


class ToneNet(nn.Module):
    """(N, 3, H, W) BGR in 0…255 to (N,) levels, without batch norm, whose statistics are of one process."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Conv2d(8, 1, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: Tensor) -> Tensor:
        levels: Tensor = self.layers(frames / 255.0).mean(dim=(1, 2, 3))
        return levels


class ToneTask(toy_training.BrightnessTask):
    """Learns by Muon, and notes the random numbers of each process."""

    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        self.labels, self.net = checkpoint["labels"], ToneNet()
        self.drawn: list[float] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.drawn.append(float(torch.rand(())))
        return super().training_step(batch, batch_idx)

    def on_train_epoch_start(self) -> None:
        trainer = self.trainer
        if trainer.is_global_zero and trainer.current_epoch == EPOCHS // 2:
            kept = Path(trainer.default_root_dir) / STOPPED
            if not kept.exists():  # of the first of two trainings
                shutil.copy(trainer.checkpoint_callback.best_model_path, kept)

    def on_train_end(self) -> None:
        path = Path(self.trainer.default_root_dir) / f"drawn{self.trainer.global_rank}.json"
        if not path.exists():
            path.write_text(json.dumps(self.drawn))

    def configure_optimizers(self) -> Any:
        return one_cycle(self, lr=0.01, weight_decay=0.01, muon=True)


if __name__ == "__main__":
    runtime.TASKS[toy_runtime.NAME], tasks.TASKS[toy_runtime.NAME] = toy_runtime.TASK, TASK
    fit.fit(sys.argv[1:])
