"""The toy task of ``toy_runtime``, mean brightness, as training has it: all that its one line names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from perception.spec import ModelSpec
from tests.toy_runtime import NAME, Photometer
from training.comparison import Comparison
from training.datasets.images import files
from training.datasets.pictures import read_bgr
from training.datasets.tensors import load_frames
from training.evaluate.evaluation import Evaluation
from training.graph import as_batch
from training.module import TaskModule
from training.split import fingerprint, remarks
from training.tasks import Task

TASK = Task(
    module="tests.toy_training:BrightnessTask",
    data="tests.toy_training:BrightnessData",
    graph="tests.toy_training:build",
    comparison="tests.toy_training:COMPARISON",
    evaluate="tests.toy_training:evaluate",
)
PARTS = ("train", "val")


class BrightnessNet(nn.Module):
    """(N, 3, H, W) BGR in 0…255 to (N,) the mean times a factor, which it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, frames: Tensor) -> Tensor:
        return self.gain * frames.mean(dim=(1, 2, 3)) / 255.0


class BrightnessTask(TaskModule):
    TASK = NAME

    def __init__(self, *, lr: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()

    def configure_model(self) -> None:
        if not hasattr(self, "net"):
            self.remake({"labels": self.data.labels})

    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        self.labels, self.net = checkpoint["labels"], BrightnessNet()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (frames,) = batch
        return (self.net(frames.float()) - frames.float().mean(dim=(1, 2, 3)) / 255.0).square().mean()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), self.hparams["lr"])
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.hparams["lr"], total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class BrightnessData(L.LightningDataModule):
    data_set = "Lamps"
    labels = ("Brightness",)

    def __init__(self, root: str, *, batch_size: int = 4, train_on_val: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.root, self.batch_size, self.train_on_val = Path(root), batch_size, train_on_val
        self.size_hw = (8, 8)
        self.val: TensorDataset | None = None

    def setup(self, stage: str | None = None) -> None:
        paths = {part: files(self.root / part) for part in PARTS}
        self.kept_aside = fingerprint(path.stem for path in paths["val"])
        self.train, self.val = (TensorDataset(load_frames(paths[part], self.size_hw)) for part in PARTS)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(self.train, self.batch_size)


class BrightnessGraph(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor) -> Tensor:
        return self.net(as_batch(frames))


def build(
    task: BrightnessTask, data: BrightnessData, like: ModelSpec | None
) -> tuple[nn.Module, dict[str, Any]]:
    fields = {"palette": ((255, 255, 255),), "trained_on": f"{data.data_set}, {len(data.train)} pictures"}
    return BrightnessGraph(task.net).eval(), fields


def differences(
    ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    apart = np.abs(ours["level"] - theirs["level"])
    return apart < 1.0, apart


COMPARISON = Comparison(samples=8, differences=differences)


def evaluate(measure: Photometer, data: Path, *, split: str) -> Evaluation:
    paths = files(data / "val")
    frames = [read_bgr(path) for path in paths]
    errors = [abs(measure(frame).level - float(frame.mean()) / 255) for frame in frames]
    aside = fingerprint(path.stem for path in paths)
    notes = remarks(measure.spec.provenance, data.name, split, kept_aside=aside)
    return Evaluation(figures={"error": float(np.mean(errors))}, remarks=tuple(notes))
