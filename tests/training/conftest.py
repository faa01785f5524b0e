"""Small data sets in the layouts that training reads, drawn so that a few steps can learn them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock

from tests.training.fits import Trained, fit
from training.run import NAME, Run, read_run

COLORS = {0: (40, 40, 220), 1: (220, 120, 30), 2: (40, 200, 60)}  # BGR


def sign(class_id: int, rng: np.random.Generator) -> np.ndarray:
    """A disc in the class's colour on a noisy ground, 30 to 60 px."""
    side = int(rng.integers(30, 60))
    image = rng.integers(0, 255, (side, side, 3)).astype(np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 3, COLORS[class_id], -1)
    return image


def street(rng: np.random.Generator, *, height: int = 60, width: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A grey road under a blue sky, and its ids: 0 sky, 3 road, 11 void on the first column."""
    horizon = int(rng.integers(height // 3, 2 * height // 3))
    ids = np.full((height, width), 3, np.uint8)
    ids[:horizon] = 0
    image = np.where(ids[..., None] == 0, (230, 180, 90), (70, 70, 70)) + rng.integers(
        -20, 20, (height, width, 3)
    )
    ids[:, 0] = 11
    return image.clip(0, 255).astype(np.uint8), ids


def make_gtsrb(root: Path) -> Path:
    """Official layout: classes 0, 1 and 2 with 5 tracks of 4 frames each."""
    rng = np.random.default_rng(0)
    for class_id in COLORS:
        folder = root / "GTSRB" / "Final_Training" / "Images" / f"{class_id:05d}"
        folder.mkdir(parents=True)
        for track in range(5):
            for frame in range(4):
                cv2.imwrite(str(folder / f"{track:05d}_{frame:05d}.jpg"), sign(class_id, rng))
    return root


@pytest.fixture
def gtsrb(tmp_path: Path) -> Path:
    return make_gtsrb(tmp_path)


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Three folders of 20 pictures, named after their class."""
    rng = np.random.default_rng(0)
    for class_id, name in enumerate(("blue", "green", "red")):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(20):
            cv2.imwrite(str(tmp_path / "own" / name / f"{number}.png"), sign(class_id, rng))
    return tmp_path / "own"


def make_background(folder: Path) -> Path:
    """Eight noisy street pictures, the first with one sign listed in gt.txt."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), street(rng, height=240, width=320)[0])
    (folder / "gt.txt").write_text("00000.jpg;0;0;250;230;14\n")
    return folder


@pytest.fixture
def background(tmp_path: Path) -> Path:
    return make_background(tmp_path / "street")


def make_camvid(root: Path) -> Path:
    """CamVid's layout with 16 pictures to train on and 4 to validate."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 4)):
        for part in (split, f"{split}annot"):
            (root / part).mkdir(parents=True)
        for number in range(count):
            image, ids = street(rng)
            cv2.imwrite(str(root / split / f"{number}.png"), image)
            cv2.imwrite(str(root / f"{split}annot" / f"{number}.png"), ids)
    return root


@pytest.fixture
def camvid(tmp_path: Path) -> Path:
    return make_camvid(tmp_path / "CamVid")


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """Cityscapes' layout: one picture a split, label ids 7 (road), 23 (sky) and 4 (does not count)."""
    for split in ("train", "val"):
        images, masks = (tmp_path / "city" / kind / split / "ulm" for kind in ("leftImg8bit", "gtFine"))
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        cv2.imwrite(str(images / "ulm_000_leftImg8bit.png"), np.zeros((4, 6, 3), np.uint8))
        cv2.imwrite(str(masks / "ulm_000_gtFine_labelIds.png"), np.array([[7, 23, 4, 7, 7, 7]] * 4, np.uint8))
    return tmp_path / "city"


@pytest.fixture
def mask_folders(tmp_path: Path) -> Path:
    """Anyone's own pictures and masks, two classes."""
    root = tmp_path / "own"
    for split in ("train", "val"):
        for part in ("images", "masks"):
            (root / split / part).mkdir(parents=True)
        cv2.imwrite(str(root / split / "images" / "a.jpg"), np.zeros((4, 6, 3), np.uint8))
        cv2.imwrite(str(root / split / "masks" / "a.png"), np.array([[0, 1, 255, 0, 1, 9]] * 4, np.uint8))
    classes = [{"name": "Free", "color": [0, 255, 0]}, {"name": "Kerb", "color": [255, 0, 0]}]
    (root / "classes.json").write_text(json.dumps(classes))
    return root


@pytest.fixture(scope="session")
def trained_signs(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A sign classifier of two epochs, with background, made by the command line."""

    def make(folder: Path) -> None:
        data, street = make_gtsrb(folder), make_background(folder / "street")
        options = (f"--data.root={data}", f"--data.background={street}", "--data.size=32")
        fit("signs", folder / "runs", *options, "--data.batch_size=16")

    folder = once(tmp_path_factory, "trained_signs", make)
    return Trained(_run(folder), folder, folder / "street")


@pytest.fixture(scope="session")
def trained_masks(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A segmentation net of two epochs, made by the command line."""

    def make(folder: Path) -> None:
        data = make_camvid(folder / "CamVid")
        options = (f"--data.root={data}", "--data.size_hw=[120, 160]", "--data.crop_hw=[32, 48]")
        fit("segnet", folder / "runs", *options, "--trainer.check_val_every_n_epoch=1")

    folder = once(tmp_path_factory, "trained_masks", make)
    return Trained(_run(folder), folder / "CamVid")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first of all test processes fills, and the others wait for."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ready = shared / name, shared / f"{name}.ready"
    with FileLock(shared / f"{name}.lock"):
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another process whose attempt failed
            folder.mkdir()
            make(folder)
            ready.touch()
    return folder


def _run(folder: Path) -> Run:
    return read_run(folder / "runs" / "lightning_logs" / "version_0" / NAME)
