"""Three ways to other streets that brought nothing (figures: docs/experiments/other-streets.md).

    OTHER=GTSDB python -m training fit --config training/configs/segnet.yaml --data.root DRIVE \
        --data.class_path scripts.other_streets.FourierData

OTHER is a folder of other pictures (.jpg), without label images.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.distributions import Beta
from torch.nn import functional as F

from perception.spec import Color
from perception.tasks import UNLABELLED
from training.augment import color_jitter
from training.callbacks import RunningAverage
from training.datasets.tensors import load_frames
from training.segmentation.data import MaskData
from training.segmentation.task import MaskTask

SIZE_HW = (360, 480)  # of the other pictures
SHARE = 0.5  # of the pictures, or steps, that are changed
LOW = 0.02  # the swapped frequencies, as a share of each axis
STRENGTH = 0.3  # of MixStyle: both parameters of the beta distribution
SURE = 0.9  # the confidence from which on a pixel without a label counts
WARM_UP = 6  # epochs before the averaged net teaches


@cache
def others() -> Tensor:
    """The other pictures, (N, 3, H, W) uint8 BGR."""
    return load_frames(sorted(Path(os.environ["OTHER"]).glob("*.jpg")), SIZE_HW)


def drawn(count: int, size_hw: tuple[int, int]) -> Tensor:
    """Some of the other pictures, (N, 3, H, W) float32 in 0…255, of this size."""
    chosen = others()[torch.randint(len(others()), (count,))].float()
    return F.interpolate(chosen, size_hw, mode="bilinear", antialias=True)


class FourierData(MaskData):
    """Half of the crops get the low frequencies' amplitude of another picture (Yang & Soatto 2020)."""

    def on_after_batch_transfer(self, batch: list[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        frames, ids = batch
        if self.trainer is not None and self.trainer.training:
            chosen = torch.rand(len(frames)) < SHARE
            frames = frames.float()
            frames[chosen] = restyled(frames[chosen])
        return super().on_after_batch_transfer([frames, ids], dataloader_idx)


def restyled(frames: Tensor) -> Tensor:
    """Frames (N, 3, H, W) in 0…255 with a part of other pictures' amplitude at low frequencies."""
    count, _, height, width = frames.shape
    own, theirs = torch.fft.fft2(frames), torch.fft.fft2(drawn(count, (height, width)))
    y, x = torch.fft.fftfreq(height)[:, None].abs(), torch.fft.fftfreq(width).abs()
    share = torch.rand(count, 1, 1, 1) * ((y <= LOW) & (x <= LOW))
    amplitude = torch.lerp(own.abs(), theirs.abs(), share)
    changed: Tensor = torch.fft.ifft2(torch.polar(amplitude, own.angle())).real.clamp(0, 255)
    return changed


class MixStyleTask(MaskTask):
    """Mean and deviation of early features are mixed with another crop's (Zhou et al. 2021)."""

    def make_net(self, labels: tuple[str, ...], palette: tuple[Color, ...]) -> None:
        super().make_net(labels, palette)
        for stage in (self.net.encoder[0], self.net.encoder[1]):
            stage.register_forward_hook(mix_styles)


def mix_styles(stage: nn.Module, _: tuple[Tensor, ...], features: Tensor) -> Tensor:
    """Features (N, C, H, W) with other statistics, in half of the training steps."""
    if not stage.training or float(torch.rand(())) > SHARE:
        return features
    mean, deviation = features.mean((2, 3), keepdim=True), features.std((2, 3), keepdim=True) + 1e-3
    mean, deviation = mean.detach(), deviation.detach()
    other = torch.randperm(len(features))
    share = Beta(STRENGTH, STRENGTH).sample((len(features), 1, 1, 1)).to(features)
    mixed = torch.lerp(mean[other], mean, share), torch.lerp(deviation[other], deviation, share)
    return (features - mean) / deviation * mixed[1] + mixed[0]


class ConsistentTask(MaskTask):
    """The averaged net labels other pictures, on which labelled things are laid (Tranheden et al. 2021)."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = super().training_step(batch, batch_idx)
        if self.current_epoch < WARM_UP:
            return loss
        frames, ids = (part[: len(part) // 2] for part in batch)
        new = drawn(len(frames), (ids.shape[1], ids.shape[2]))
        callbacks: list[Callback] = self.trainer.callbacks  # type: ignore[attr-defined]  # Lightning has them
        (average,) = (callback for callback in callbacks if isinstance(callback, RunningAverage))
        with torch.no_grad():
            confidence, guessed = average.averaged.net.eval()(new).softmax(dim=1).max(dim=1)
        weight = (confidence > SURE).float().mean(dim=(1, 2), keepdim=True).expand_as(confidence)
        jittered = color_jitter(new / 255.0, brightness=1.5, contrast=1.5, saturation=1.5, tint=0.1)
        kept = torch.rand(len(ids), UNLABELLED + 1) < 0.5
        kept[:, UNLABELLED] = False
        on_top = kept.gather(1, ids.flatten(1)).view_as(ids)
        mixed = torch.where(on_top[:, None], frames, 255.0 * jittered)
        wanted, weight = torch.where(on_top, ids, guessed), torch.where(on_top, 1.0, weight)
        row, column = torch.randint(2, (2,)).tolist()
        logits = self.net.sampled(mixed, row, column).float()
        wanted, weight = (part[:, row::2, column::2] for part in (wanted, weight))
        each = F.cross_entropy(logits, wanted, self.weights, reduction="none")
        total: Tensor = loss + (each * weight).sum() / self.weights[wanted].sum()
        return total
