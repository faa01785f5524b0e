"""What was tried for other streets still runs, and does what its name says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from scripts import other_streets
from training.callbacks import RunningAverage
from training.segmentation.task import MaskTask

LABELS, PALETTE = ("Sky", "Road"), ((0, 0, 0), (9, 9, 9))


@pytest.fixture(autouse=True)
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dark pictures with a little noise."""
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 30, (48, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), noise)
    monkeypatch.setenv("OTHER", str(tmp_path))
    other_streets.others.cache_clear()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(100, 256, (4, 3, 48, 64), generator=generator).float()
    return frames, torch.randint(0, 2, (4, 48, 64), generator=generator)


def ready(task: MaskTask) -> MaskTask:
    task.make_net(LABELS, PALETTE)
    task.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    return task.train()


def test_a_dark_picture_darkens_and_keeps_the_outlines() -> None:
    torch.manual_seed(0)
    frames, _ = batch()
    changed = other_streets.restyled(frames)
    assert bool((changed.mean(dim=(1, 2, 3)) < frames.mean(dim=(1, 2, 3))).all())
    fine, fine_changed = (part - part.mean(dim=(2, 3), keepdim=True) for part in (frames, changed))
    assert torch.cosine_similarity(fine.flatten(), fine_changed.flatten(), dim=0) > 0.6


def test_styles_are_mixed_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_streets, "SHARE", 1.0)
    task = ready(other_streets.MixStyleTask())
    frames, _ = batch()
    stage = task.net.encoder[0]
    plain = torch.nn.Sequential(*stage)
    assert not torch.allclose(stage(frames), plain(frames))
    assert torch.allclose(stage.eval()(frames), plain(frames))


@pytest.mark.parametrize("epoch", [0, other_streets.WARM_UP])
def test_the_averaged_net_teaches_after_the_first_epochs(epoch: int) -> None:
    task, teacher = ready(other_streets.ConsistentTask()), ready(MaskTask())
    average = RunningAverage()
    average._average_model = SimpleNamespace(module=teacher)  # type: ignore[assignment]
    task.trainer = SimpleNamespace(callbacks=[average], current_epoch=epoch)  # type: ignore[assignment]
    torch.manual_seed(0)
    loss = task.training_step(batch(), 0)
    torch.manual_seed(0)
    plain = MaskTask.training_step(task, batch(), 0)
    assert bool(loss.isfinite())
    assert (loss.item() == plain.item()) is (epoch == 0)
