"""SignTask: how a sign classifier learns and is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

from training.adversarial import cross_entropy, pgd
from training.checkpoint import read_checkpoint, restored
from training.datasets.images import DataError
from training.module import TaskModule
from training.optimizer import one_cycle
from training.signs.net import SignNet
from training.split import require_same_split

EVAL_STEPS = 20  # PGD-20 (Madry et al. 2018)

Group = TypeVar("Group")


@dataclass(frozen=True)
class Attack:
    """Adversarial noise to train against and to validate with (PGD adversarial training, Madry et al. 2018).

    Args:
        radius: of the noise (L∞, of 255); 0 trains and validates without noise.
        share: of each batch that is attacked; the rest keeps the net right about clean crops.
        steps: of the attack in training; in validation it takes 20.
    """

    radius: float = 0.0
    share: float = 1.0
    steps: int = 3


@dataclass(frozen=True)
class Distillation:
    """Other nets whose mean opinion is learnt as well (knowledge distillation, Hinton et al. 2015).

    Args:
        teachers: checkpoints of nets for the same classes; empty: the net learns from the labels alone.
        weight: of the teachers' opinion in the loss; the rest is for the labels.
        temperature: softens both opinions.
    """

    teachers: tuple[str, ...] = ()
    weight: float = 0.8
    temperature: float = 2.0


class SignTask(TaskModule):
    """Cross entropy over the known classes and "no known sign".

    The number of classes comes from the data, so the net is made when training starts.

    Args:
        width: of the net, see :class:`SignNet`.
        lr: peak learning rate.
        weight_decay: of the convolutions' weights.
        muon: inner convolutions learn by :class:`Muon` instead of AdamW.
        label_smoothing: share of the target that is spread over all classes.
        start: weights to start from, as ``export`` writes them (``.safetensors``); if the classes differ, the
            last layer starts anew, except its row for "no known sign".
        distillation: other nets to learn from.
        attack: adversarial noise to learn against.
    """

    TASK = "signs"
    net: SignNet

    def __init__(
        self,
        *,
        width: float = 1.0,
        lr: float = 4e-3,
        weight_decay: float = 0.05,
        muon: bool = False,
        label_smoothing: float = 0.05,
        start: str | None = None,
        distillation: Distillation = Distillation(),
        attack: Attack = Attack(),
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.width = width
        self.lr = lr
        self.weight_decay = weight_decay
        self.muon = muon
        self.label_smoothing = label_smoothing
        self.start = start
        self.distillation = _group(Distillation, distillation)
        self.attack = _group(Attack, attack)
        # A checkpoint holds plain values only, because it is read with weights_only.
        self.hparams.update(distillation=asdict(self.distillation), attack=asdict(self.attack))
        # In a plain list: they are neither trained nor part of the checkpoint.
        self.teachers: list[SignTask] = []

    def configure_model(self) -> None:
        if hasattr(self, "net"):
            return
        self.make_net(tuple(self.data.labels))
        # "No known sign" is the last class of every net.
        self.start_from(self.start, last="head.1", keeps_last_row=True)
        self.teachers = [self._teacher(Path(path)) for path in self.distillation.teachers]

    def remake(self, checkpoint: Mapping[str, Any]) -> None:
        self.make_net(checkpoint["labels"])

    def _teacher(self, path: Path) -> SignTask:
        content, data = read_checkpoint(path), self.data
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
                f"the teacher {path} has learnt from the pictures that validate here, so this net would "
                "learn from them as well; name a teacher that kept them aside"
            )
        return teacher

    def make_net(self, labels: tuple[str, ...]) -> None:
        """Make the net and its measures for these classes."""
        self.labels = labels
        self.net = SignNet(len(labels), width=self.width)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.accuracy = MulticlassAccuracy(len(labels), average="micro")
        self.robust_accuracy = MulticlassAccuracy(len(labels), average="micro")
        self.known_auroc, self.unseen_auroc = BinaryAUROC(), BinaryAUROC()

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, classes + 1) logits."""
        logits: Tensor = self.net(frames.to(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        if self.attack.radius:
            count = math.ceil(self.attack.share * len(frames))
            attacked = self.attacked(frames[:count], ids[:count], steps=self.attack.steps)
            frames = torch.cat([attacked, frames[count:]])
        logits = self(frames).float()
        loss = F.cross_entropy(logits, ids, label_smoothing=self.label_smoothing)
        if self.teachers:
            loss = torch.lerp(loss, self._distance_to_teachers(frames, logits), self.distillation.weight)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def _distance_to_teachers(self, frames: Tensor, logits: Tensor) -> Tensor:
        temperature = self.distillation.temperature
        with torch.no_grad():
            opinions = [
                (teacher.to(frames.device)(frames).float() / temperature).softmax(dim=1)
                for teacher in self.teachers
            ]
        wanted = torch.stack(opinions).mean(dim=0)
        given = F.log_softmax(logits / temperature, dim=1)
        return F.kl_div(given, wanted, reduction="batchmean") * temperature**2

    def attacked(self, frames: Tensor, ids: Tensor, *, steps: int, classes: int | None = None) -> Tensor:
        """Frames (N, 3, H, W) in 0…255 with the noise of the attack's radius that misleads the net most.

        Args:
            frames: without noise.
            ids: (N,) of the true classes.
            steps: of the attack.
            classes: the net shall take a sign for another of the first so many classes; None counts "no known
                sign" as well.
        """
        training = self.training
        # Batch statistics would move with every step of the attack.
        self.eval()
        noisy = pgd(self, frames, ids, cross_entropy(classes), radius=self.attack.radius, steps=steps)
        self.train(training)
        return noisy

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        frames, ids = batch
        logits = self(frames).float()
        classes, known = len(self.labels), known_logit(logits)
        is_sign = ids < classes
        if is_sign.any():  # a batch may hold background alone
            self.accuracy.update(logits[is_sign, :classes], ids[is_sign])
            if self.attack.radius:
                self._validate_attacked(frames[is_sign], ids[is_sign])
        self.log("val_accuracy", self.accuracy, on_epoch=True, prog_bar=True)
        data = self.data
        for name, auroc, wanted, others in (
            ("val_known_auroc", self.known_auroc, data.background, ids == classes),
            ("val_unseen_auroc", self.unseen_auroc, data.hold_out, ids == classes + 1),
        ):
            chosen = is_sign | others
            if wanted and chosen.any():
                # torchmetrics takes a batch with values outside 0…1 for logits; its sigmoid makes 1 of many.
                auroc.update(torch.sigmoid(known[chosen] / 8.0), is_sign[chosen].long())
                self.log(name, auroc, on_epoch=True)

    def _validate_attacked(self, frames: Tensor, ids: Tensor) -> None:
        classes = len(self.labels)
        # In full precision, because rounded gradients would weaken the attack and flatter the net. Among the
        # signs alone, because the measure below ignores the logit of "no known sign".
        with torch.autocast(frames.device.type, enabled=False):
            logits = self(self.attacked(frames, ids, steps=EVAL_STEPS, classes=classes))
        self.robust_accuracy.update(logits[:, :classes], ids)
        self.log("val_robust_accuracy", self.robust_accuracy, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return one_cycle(self, lr=self.lr, weight_decay=self.weight_decay, muon=self.muon)


def known_logit(logits: Tensor) -> Tensor:
    """(N, classes + 1) logits to (N,) log odds that it is the top known sign: neither another nor none.

    Of the ways that ``python -m scripts.known`` compares, it is the one that separates both background and
    classes never seen from known signs.
    """
    top, top_id = logits[:, :-1].max(dim=1)
    others = logits.scatter(1, top_id[:, None], -torch.inf)
    return top - others.logsumexp(dim=1)


def _group(kind: type[Group], given: Group | Mapping[str, Any]) -> Group:
    """A group of parameters, which checkpoints hold as plain dicts."""
    return given if isinstance(given, kind) else kind(**cast("Mapping[str, Any]", given))
