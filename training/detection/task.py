"""DetectionTask: how the net that finds signs learns and is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from perception.boxes import overlaps
from training.callbacks import RunningAverage
from training.detection.data import Pictures
from training.detection.measure import Ranking
from training.detection.net import SignFinder, peaks
from training.detection.targets import loss_of
from training.distributed import gathered
from training.module import TaskModule
from training.optimizer import one_cycle

SURE = 0.1  # score from which on a false alarm is learnt from
APART = 0.3  # largest overlap of a false alarm with a sign
PER_PICTURE = 8  # of the surest false alarms
RECALL = 0.9  # at which false alarms are counted

Found = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class DetectionTask(TaskModule):
    """Centres, faces and boxes of signs, and now and then a look for what the net takes for signs.

    Args:
        lr: peak learning rate of what learns by AdamW: the last layer, biases and batch norm.
        muon_lr: peak learning rate of the convolutions, which learn by :class:`Muon`.
        weight_decay: of the convolutions' weights.
        rise: share of the training until the peak.
        mine_at: after these shares of the training, the net looks through all training pictures, and from
            then on some of the crops are cut around its false alarms (hard negative mining).
        start: weights to start from, as ``export`` writes them (``.safetensors``).
    """

    TASK = "sign_detection"
    net: SignFinder

    def __init__(
        self,
        *,
        lr: float = 3e-3,
        muon_lr: float = 0.03,
        weight_decay: float = 0.02,
        rise: float = 0.03,
        mine_at: tuple[float, ...] = (0.15, 0.4, 0.65, 0.85),
        start: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lr = lr
        self.muon_lr = muon_lr
        self.weight_decay = weight_decay
        self.rise = rise
        self.mine_at = mine_at
        self.start = start
        self._found: list[Found] = []

    def configure_model(self) -> None:
        if hasattr(self, "net"):
            return
        self.make_net(tuple(self.data.labels))
        self.start_from(self.start, last="head")

    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        self.make_net(checkpoint["labels"])

    def make_net(self, labels: tuple[str, ...]) -> None:
        """Make the net."""
        self.labels = labels
        self.net = SignFinder()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to maps (N, 6, H/4, W/4)."""
        maps: Tensor = self.net(frames.to(memory_format=torch.channels_last))
        return maps

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        crops, targets = batch
        losses = loss_of(self(crops), targets)
        loss = torch.stack(list(losses.values())).sum()
        self.log("train_loss", loss, prog_bar=True)
        self.log_dict({f"train_{name}_loss": value for name, value in losses.items()})
        return loss

    def on_train_epoch_end(self) -> None:
        """Look for false alarms if it is time; this is before the checkpoint is written."""
        trainer = self.trainer
        total, steps = float(trainer.estimated_stepping_batches), trainer.num_training_batches
        now, before = trainer.global_step / total, (trainer.global_step - steps) / total
        if now < 1 and any(before < share <= now for share in self.mine_at):
            numbers = range(trainer.global_rank, len(self.data.train), trainer.world_size)
            with trainer.precision_plugin.forward_context():
                mined = false_alarms(self._averaged().net, self.data.train, self.device, numbers)
            self.data.aim_at(np.concatenate(gathered(mined)))

    def _averaged(self) -> DetectionTask:
        """This module with the running average of its weights, if there is one."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # Lightning's stubs lack it
            if isinstance(callback, RunningAverage):
                return cast(DetectionTask, callback.averaged)
        return self

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, wanted = batch
        self._found.append(as_found(self(frames), wanted[0]))

    def on_validation_epoch_end(self) -> None:
        ranking = Ranking.of([one for part in gathered(self._found) for one in part])
        self._found.clear()
        self.log("val_ap50", ranking.average_precision, prog_bar=True)
        self.log("val_false_alarms", ranking.alarms_at(RECALL))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(
            self,
            lr=self.lr,
            weight_decay=self.weight_decay,
            muon=True,
            muon_lr=self.muon_lr,
            rise=self.rise,
        )


def as_found(maps: Tensor, wanted: Tensor) -> Found:
    """Boxes and scores at the peaks of one picture's maps, best first, and its true boxes (M, 4)."""
    boxes, scores = peaks(maps.float())
    is_peak = scores > 0
    return boxes[is_peak].cpu().numpy(), scores[is_peak].cpu().numpy(), wanted.cpu().numpy()


@torch.no_grad()
def false_alarms(
    net: nn.Module, pictures: Pictures, device: torch.device, numbers: Sequence[int]
) -> NDArray[np.float32]:
    """What a net takes for signs in pictures that it learns from.

    Args:
        net: gives maps of frames.
        pictures: all of them.
        device: of the net.
        numbers: of the pictures to look through.

    Returns:
        (M, 4) number of the picture, x, y and score, as ``Crops.mined`` has them.
    """
    is_training = net.training
    net.eval()
    rows = []
    for number in numbers:
        frame, signs = pictures[number]
        boxes, scores = (
            one.cpu().numpy()
            for one in peaks(net(frame.to(device)[None].permute(0, 3, 1, 2).float()).float())
        )
        is_alarm = scores > SURE
        if len(signs):
            is_alarm &= overlaps(boxes, signs.numpy()).max(axis=1) < APART
        for index in np.flatnonzero(is_alarm)[:PER_PICTURE]:
            x1, y1, x2, y2 = boxes[index].tolist()
            rows.append((number, (x1 + x2) / 2, (y1 + y2) / 2, scores[index]))
    net.train(is_training)
    return np.array(rows, np.float32).reshape(-1, 4)
