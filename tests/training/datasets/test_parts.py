"""A data set that is split already keeps its split, under all the names that its parts have."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.checks import listed, run
from training.check import Kind, check, require_sound, understood
from training.datasets.images import DataError
from training.recorder import _summary
from training.segmentation import data as segmentation
from training.segmentation.data import MaskData
from training.signs import data as signs
from training.signs.data import SignData
from training.split import of_tracks, split_by_track


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Two classes: six pictures each to learn from, and three each to validate and to test."""
    root, rng = tmp_path / "split", np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 3), ("test", 3)):
        for name in ("Stop", "Yield"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                picture = rng.integers(0, 255, (30, 30, 3)).astype(np.uint8)
                cv2.imwrite(str(root / part / name / f"{number}.png"), picture)
    return root


@pytest.mark.parametrize("train", ["train", "Train", "training"])
@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_signs_keep_their_split(split: Path, train: str, val: str) -> None:
    (split / "train").rename(split / train)
    (split / "val").rename(split / val)
    dataset = signs.read(split)
    assert dataset.labels == ("Stop", "Yield")
    learnt, kept = split_by_track(dataset.images, val_fraction=0.5, seed=3)
    assert {image.path.parent.parent.name for image in learnt} == {train} and len(learnt) == 12
    assert {image.path.parent.parent.name for image in kept} == {val} and len(kept) == 6
    assert not {image.track for image in learnt} & {image.track for image in kept}
    assert check(split) == []
    assert understood(split) == "signs: 2 classes (Stop, Yield), 12 + 6 pictures; nobody learns from test/"


def test_the_fingerprint_follows_what_validates(split: Path) -> None:
    def aside() -> str:
        return of_tracks(split_by_track(signs.read(split).images, val_fraction=0.1, seed=0)[1])

    before = aside()
    shutil.copy(split / "train" / "Stop" / "0.png", split / "train" / "Stop" / "9.png")
    (split / "val").rename(split / "valid")
    assert aside() == before
    (split / "valid" / "Stop" / "0.png").rename(split / "valid" / "Stop" / "7.png")
    assert aside() != before


def test_training_and_its_record_take_the_split(split: Path) -> None:
    data = SignData(str(split), size=16)
    require_sound(data)
    data.setup()
    summary = _summary(data)
    assert (summary.train, summary.val) == (12, 6)
    assert summary.val_fraction is None and summary.split_seed is None


def test_without_a_validation_part_training_splits(split: Path) -> None:
    shutil.rmtree(split / "val")
    data = SignData(str(split), size=16)
    data.setup()
    assert (len(data.train), len(data.val)) == (10, 2)
    assert _summary(data).val_fraction == 0.1
    assert understood(split).endswith("12 pictures; nobody learns from test/")


def test_what_a_split_lacks_is_listed(split: Path) -> None:
    shutil.rmtree(split / "val" / "Stop")
    cv2.imwrite(str(split / "train" / "lost.png"), np.zeros((9, 9, 3), np.uint8))
    (split / "extra").mkdir()
    (split / "val" / "Yield" / "a.heic").write_bytes(b"")
    with pytest.raises(DataError):  # a picture directly in it: train is no part then
        signs.read(split)
    (split / "train" / "lost.png").rename(split / "lost.png")
    assert listed(check(split)) == {
        (Kind.NO_VALIDATION, "Stop"),
        (Kind.UNUSED, "lost.png"),
        (Kind.UNUSED, "extra"),
        (Kind.UNUSED, "a.heic"),
    }
    shutil.rmtree(split / "val" / "Yield")
    (split / "val" / "Yield").mkdir()
    (no_split,) = (one for one in check(split) if one.kind is Kind.NO_SPLIT)
    assert "no pictures in folders of classes in" in no_split.message


def test_a_class_that_only_validates_is_refused(split: Path) -> None:
    shutil.copytree(split / "val" / "Stop", split / "val" / "Go")
    with pytest.raises(DataError, match=r"val/Go is a class that .*train does not have"):
        signs.read(split)


def test_two_names_for_one_part_are_refused(split: Path) -> None:
    shutil.copytree(split / "val", split / "valid")
    with pytest.raises(DataError, match="both val/ and valid/"):
        signs.read(split)


@pytest.mark.parametrize("val", ["valid", "validation"])
def test_masks_validate_on_other_names_too(mask_folders: Path, camvid: Path, val: str) -> None:
    (mask_folders / "val").rename(mask_folders / val)
    assert segmentation.read(mask_folders).val[0].path.parent.parent.name == val
    assert Kind.EMPTY not in {problem.kind for problem in check(mask_folders)}
    for suffix in ("", "annot"):
        (camvid / f"val{suffix}").rename(camvid / f"{val}{suffix}")
    assert len(segmentation.read(camvid).val) == 4
    require_sound(MaskData(str(camvid)))
    assert ": masks: 11 classes (Sky, Building, Pole, Road, Pavement, …), 16 + 4" in run(camvid).stdout
