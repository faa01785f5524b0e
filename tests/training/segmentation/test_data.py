"""Street pictures with label images, and frames of tracks with rendered ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import perception
from tests.training.fits import fit_here
from training.check.problems import Kind
from training.datasets.images import DataError
from training.datasets.rendered_tracks import LABELS, PALETTE
from training.segmentation import data as segmentation
from training.segmentation.check import check


def test_a_last_model_may_learn_from_the_validation_pictures(camvid: Path) -> None:
    apart, together = (segmentation.MaskData(str(camvid), train_on_val=seen) for seen in (False, True))
    apart.setup()
    together.setup()
    assert len(together.train) == len(apart.train) + len(apart.val)
    assert len(together.val) == len(apart.val)


def test_a_share_of_the_crops_gets_noise_and_no_picture_of_validation(camvid: Path) -> None:
    data = segmentation.MaskData(str(camvid), mix=0.0, noise=0.3)
    frames, ids = torch.full((200, 3, 8, 8), 127, dtype=torch.uint8), torch.zeros(200, 8, 8)
    torch.manual_seed(0)
    noisy = {}
    for training in (True, False):
        data.trainer = SimpleNamespace(training=training)
        changed, _ = data.on_after_batch_transfer([frames, ids], 0)
        noisy[training] = float((changed.flatten(2).std(dim=2).amax(dim=1) > 1.0).float().mean())
    assert 0.2 < noisy[True] < 0.4
    assert noisy[False] == 0.0


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Ten bright frames of one drive on a track, with label images, without parts."""
    root = tmp_path / "drive"
    for number in range(10):
        for kind, value in (("images", 255 - number), ("masks", number % 4)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / kind / f"{number}.png"), np.full((30, 40), value, np.uint8))
    classes = [{"name": name, "color": color} for name, color in zip(LABELS, PALETTE)]
    (root / "classes.json").write_text(json.dumps(classes))
    return root


def track_data(root: Path, **options: Any) -> segmentation.MaskData:
    data = segmentation.MaskData(
        str(root), size_hw=(32, 48), crop_hw=(32, 48), scale=(1.0, 1.5), batch_size=4, steps=3, **options
    )
    data.setup()
    return data


def test_each_batch_has_its_share_of_rendered_tracks(drive: Path) -> None:
    data = track_data(drive, rendered=0.75)
    batches = list(data.train_dataloader())
    assert len(batches) == 3
    for frames, masks in batches:
        assert frames.shape == (4, 3, 32, 48) and masks.shape == (4, 32, 48)
        assert [bool((frame > 240).all()) for frame in frames] == [False, False, False, True]
    assert not torch.equal(batches[0][0][0], batches[1][0][0])
    assert len(data.labelled) == 8 and len(data.train) == 8 + 24


def test_a_drive_without_parts_is_checked_once(drive: Path) -> None:
    (drive / "masks" / "10.png").write_bytes((drive / "masks" / "0.png").read_bytes())
    found = [problem.path.name for problem in check(drive) if problem.kind is Kind.NO_PICTURE]
    assert found == ["10.png"]  # and no label image of the other part


def test_rendered_tracks_alone_teach_and_labelled_frames_validate(drive: Path) -> None:
    data = track_data(drive, rendered=1.0)
    assert all(not bool((frame > 240).all()) for frames, _ in data.train_dataloader() for frame in frames)
    assert data.val is not None and len(data.val) == 2
    assert bool((data.val.tensors[0] > 240).all())
    # Of the rendered ones; every frame of the drive has another class.
    assert float(data.pixel_shares()[0]) > 0.3


def test_the_last_epochs_learn_from_whole_pictures(camvid: Path) -> None:
    data = segmentation.MaskData(
        str(camvid), size_hw=(50, 70), crop_hw=(16, 32), batch_size=2, whole_epochs=2
    )
    data.setup()
    data.trainer = SimpleNamespace(max_epochs=3, current_epoch=0)
    sizes = []
    for epoch in range(3):
        data.trainer.current_epoch = epoch
        sizes.append({tuple(masks.shape[1:]) for _, masks in data.train_dataloader()})
    assert sizes == [{(16, 32)}, {(48, 64)}, {(48, 64)}]
    data.trainer.max_epochs = -1
    with pytest.raises(DataError, match=r"give --trainer\.max_epochs"):
        next(iter(data.train_dataloader()))


def test_rendered_tracks_and_whole_pictures_do_not_go_together(drive: Path) -> None:
    with pytest.raises(DataError, match=r"leave out --data\.whole_epochs or --data\.rendered"):
        track_data(drive, rendered=0.5, whole_epochs=1)


def test_rendered_tracks_have_classes_of_their_own(drive: Path, mask_folders: Path) -> None:
    with pytest.raises(DataError, match="'Free' against 'floor'"):
        track_data(mask_folders, rendered=0.5)
    with pytest.raises(DataError, match="expected a share between 0 and 1"):
        track_data(drive, rendered=75)


def test_a_net_learns_from_rendered_tracks(drive: Path, tmp_path: Path) -> None:
    (run,) = fit_here(
        "track",
        tmp_path / "runs",
        f"--data.root={drive}",
        *("--data.size_hw=[32, 48]", "--data.crop_hw=[32, 48]"),
        *("--data.batch_size=4", "--data.steps=2"),
    )
    assert run.model_path is not None
    segment = perception.load(run.model_path)
    assert segment.spec.labels == LABELS
    assert "rendered tracks (75% of each batch)" in segment.spec.trained_on
