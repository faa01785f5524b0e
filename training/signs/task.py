"""SignTask: how a sign classifier learns and is measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning as L
import torch
from captum.robust import PGD
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

from training.checkpoint import load_matching, read_checkpoint, restored
from training.datasets.images import DataError, require_labels
from training.losses import batch_hard_triplet
from training.optimizer import one_cycle
from training.signs.net import SignNet
from training.split import require_same_split, warn_of_learnt

EVAL_STEPS = 20  # PGD-20 (Madry et al. 2018)


class SignTask(L.LightningModule):
    """Cross entropy over the known classes and "no known sign".

    The number of classes comes from the data, so the net is made when training starts.

    Args:
        width: of the net, see :class:`SignNet`.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        muon: inner convolutions learn by :class:`Muon`, not by AdamW.
        label_smoothing: share of the target that is spread over all classes.
        start: weights to start from, as ``export`` writes them (``.safetensors``); where the classes differ,
            the last layer starts anew, but for "no known sign".
        teachers: checkpoints of nets for the same classes, whose mean opinion is learned as well (knowledge
            distillation, Hinton et al. 2015).
        distillation: weight of the teachers' opinion, the rest is for the labels.
        distillation_temperature: softens both opinions.
        attack: radius of the adversarial noise (L∞, of 255) to train against and to validate with; 0 trains
            without (PGD adversarial training, Madry et al. 2018).
        attack_share: of each batch that is attacked; the rest keeps the net right about clean crops.
        attack_steps: of the attack in training; in validation it takes 20.
        metric: weight of a triplet loss on the features, which draws a class together and pushes others away.
    """

    TASK = "signs"
    is_resumed = False  # the weights come from a checkpoint then, and not from ``start``
    start_learnt_val = False  # whether ``start`` has learnt from what validates here

    def __init__(
        self,
        *,
        width: float = 1.0,
        lr: float = 4e-3,
        weight_decay: float = 0.05,
        muon: bool = False,
        label_smoothing: float = 0.05,
        start: str | None = None,
        teachers: tuple[str, ...] = (),
        distillation: float = 0.8,
        distillation_temperature: float = 2.0,
        attack: float = 0.0,
        attack_share: float = 1.0,
        attack_steps: int = 3,
        metric: float = 0.0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def configure_model(self) -> None:
        if not hasattr(self, "net"):
            data = self.trainer.datamodule
            self._make(tuple(data.labels))
            if self.hparams.start and not self.is_resumed:
                # "No known sign" is the last class of every net.
                start = Path(self.hparams.start)
                theirs = load_matching(
                    self.net, start, labels=self.labels, last="head.1", keeps_last_row=True
                )
                if not data.train_on_val:
                    self.start_learnt_val = warn_of_learnt(
                        theirs, data.signs.name, kept_aside=data.kept_aside
                    )
            # In a plain list, for they are neither trained nor part of the checkpoint.
            self.teachers = [self._teacher(Path(path)) for path in self.hparams.teachers]

    def _teacher(self, path: Path) -> SignTask:
        content, data = read_checkpoint(path), self.trainer.datamodule
        teacher = restored(SignTask, content).requires_grad_(False)
        if teacher.labels != self.labels:
            raise DataError(f"the teacher {path} knows other classes than the data set")
        try:
            require_same_split(data, content)
        except DataError as error:
            raise DataError(f"the teacher {path} kept others aside: {error}") from error
        has_learnt = content["datamodule_hyper_parameters"]["train_on_val"] or teacher.start_learnt_val
        if has_learnt and not data.train_on_val:
            raise DataError(
                f"the teacher {path} has learnt from the pictures that validate here, and would tell of them"
            )
        return teacher

    def _make(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.net = SignNet(len(labels), width=self.hparams.width).to(memory_format=torch.channels_last)
        self.accuracy = MulticlassAccuracy(len(labels), average="micro")
        self.robust_accuracy = MulticlassAccuracy(len(labels), average="micro")
        self.known_auroc, self.unseen_auroc = BinaryAUROC(), BinaryAUROC()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint |= {"task": self.TASK, "labels": self.labels}
        data = self.trainer.datamodule
        checkpoint |= {
            "kept_aside": data.kept_aside,
            "background_kept_aside": data.background_kept_aside,
            "start_learnt_val": self.start_learnt_val,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.start_learnt_val = checkpoint.get("start_learnt_val", False)
        if not hasattr(self, "net"):
            self._make(checkpoint["labels"])
        else:
            data = self.trainer.datamodule
            require_labels(self.labels, tuple(checkpoint["labels"]), data.root)
            require_same_split(data, checkpoint)

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, classes + 1) logits."""
        return self.net(frames.to(memory_format=torch.channels_last))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        if self.hparams.attack:
            count = math.ceil(self.hparams.attack_share * len(frames))
            attacked = self.attacked(frames[:count], ids[:count], steps=self.hparams.attack_steps)
            frames = torch.cat([attacked, frames[count:]])
        features = self.net.pooled(frames.to(memory_format=torch.channels_last))
        logits = self.net.head(features).float()
        loss = F.cross_entropy(logits, ids, label_smoothing=self.hparams.label_smoothing)
        if self.hparams.metric:
            loss = loss + self.hparams.metric * batch_hard_triplet(features.float(), ids)
        if self.teachers:
            loss = torch.lerp(loss, self._distance_to_teachers(frames, logits), self.hparams.distillation)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def _distance_to_teachers(self, frames: Tensor, logits: Tensor) -> Tensor:
        temperature = self.hparams.distillation_temperature
        with torch.no_grad():
            opinions = [
                (teacher.to(frames.device)(frames).float() / temperature).softmax(dim=1)
                for teacher in self.teachers
            ]
        wanted = torch.stack(opinions).mean(dim=0)
        given = F.log_softmax(logits / temperature, dim=1)
        return F.kl_div(given, wanted, reduction="batchmean") * temperature**2

    def attacked(self, frames: Tensor, ids: Tensor, *, steps: int, classes: int | None = None) -> Tensor:
        """Frames (N, 3, H, W) in 0…255 with the noise of radius ``attack`` that misleads the net most.

        Args:
            frames: as they are.
            ids: (N,) of the true classes.
            steps: of the attack.
            classes: it shall be taken for another of the first so many; None counts "no known sign", too.
        """

        def loss(logits: Tensor, wanted: Tensor) -> Tensor:
            return F.cross_entropy(logits[:, :classes].float(), wanted, reduction="none")

        attack = PGD(self, loss, lower_bound=0, upper_bound=255)
        # By default captum takes gradients below 1e-6 for zero, and a sure net has no larger ones at 0…255.
        attack.fgsm.zero_thresh = 0.0
        radius, training = self.hparams.attack, self.training
        # Batch statistics would move with every step of the attack.
        self.eval()
        with torch.enable_grad():
            frames = attack.perturb(frames, radius, 2.5 * radius / steps, steps, ids, random_start=True)
        self.train(training)
        return frames.detach()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, ids = batch
        logits = self(frames).float()
        classes, known = len(self.labels), known_logit(logits)
        is_sign = ids < classes
        if is_sign.any():  # a batch may hold background alone
            self.accuracy.update(logits[is_sign, :classes], ids[is_sign])
            if self.hparams.attack:
                # In full precision: rounded gradients would weaken the attack and flatter the net.
                # Against what is measured, too: to be taken for no sign at all would be no mistake below.
                with torch.autocast(frames.device.type, enabled=False):
                    noisy = self.attacked(frames[is_sign], ids[is_sign], steps=EVAL_STEPS, classes=classes)
                    attacked = self(noisy)
                self.robust_accuracy.update(attacked[:, :classes], ids[is_sign])
                self.log("val_robust_accuracy", self.robust_accuracy, on_epoch=True, prog_bar=True)
        self.log("val_accuracy", self.accuracy, on_epoch=True, prog_bar=True)
        data = self.trainer.datamodule
        for name, auroc, wanted, others in (
            ("val_known_auroc", self.known_auroc, data.background, ids == classes),
            ("val_unseen_auroc", self.unseen_auroc, data.hold_out, ids == classes + 1),
        ):
            chosen = is_sign | others
            if wanted and chosen.any():
                # torchmetrics takes what leaves 0…1 for logits, batch by batch; its sigmoid makes 1 of many.
                auroc.update(torch.sigmoid(known[chosen] / 8.0), is_sign[chosen].long())
                self.log(name, auroc, on_epoch=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(
            self, lr=self.hparams.lr, weight_decay=self.hparams.weight_decay, muon=self.hparams.muon
        )


def known_logit(logits: Tensor) -> Tensor:
    """(N, classes + 1) logits to (N,) log odds that it is the top known sign: neither another nor none.

    Of the ways compared by ``python -m training known`` it is the one that parts both background and classes
    never seen from known signs.
    """
    top, place = logits[:, :-1].max(dim=1)
    others = logits.scatter(1, place[:, None], -torch.inf)
    return top - others.logsumexp(dim=1)
