"""Small data sets with planted errors."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import COLORS, solid
from tests.training.audit.audits import noisy


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Forty crops of each colour; two of the blue ones are called green."""
    rng = np.random.default_rng(0)
    for color in COLORS:
        folder = tmp_path / "signs" / color
        folder.mkdir(parents=True)
        for number in range(40):
            cv2.imwrite(str(folder / f"{number}.png"), noisy(color, rng))
    for number in (3, 4):
        cv2.imwrite(str(tmp_path / "signs" / "Green" / f"wrong {number}.png"), noisy("Blue", rng))
    return tmp_path / "signs"


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Thirty roads under the sky; the mask of one is shifted, of one half painted, of one half empty."""
    root = tmp_path / "masks"
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("val", 6)):
        for kind in ("images", "masks"):
            (root / part / kind).mkdir(parents=True)
        for number in range(count):
            horizon = int(rng.integers(8, 14))
            ids = np.full((24, 32), 1, np.uint8)
            ids[:horizon] = 0
            frame = np.where(ids[..., np.newaxis] == 0, solid("Blue", 24, 32), solid("Green", 24, 32))
            frame = (frame * 0.6 + rng.integers(0, 60, frame.shape)).astype(np.uint8)
            if part == "train" and number == 5:
                ids = np.roll(ids, 4, axis=0)
            if part == "train" and number == 7:
                ids[:, :16] = 2
            if part == "val" and number == 2:
                ids[:, 8:] = 255
            cv2.imwrite(str(root / part / "images" / f"{number}.png"), frame)
            cv2.imwrite(str(root / part / "masks" / f"{number}.png"), ids)
    classes = [{"name": name, "color": [0, 0, number]} for number, name in enumerate(COLORS)]
    (root / "classes.json").write_text(json.dumps(classes))
    return root


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Fourteen pictures with a red sign each, one of which is called green."""
    root = tmp_path / "boxes"
    for part, count in (("train", 11), ("valid", 3)):
        (root / part / "images").mkdir(parents=True)
        (root / part / "labels").mkdir()
        for number in range(count):
            frame = np.full((64, 96, 3), 100 + number, np.uint8)
            frame[16:48, 16:48] = solid("Red", 32, 32)
            cv2.imwrite(str(root / part / "images" / f"{number}.png"), frame)
            class_id = 1 if (part, number) == ("train", 1) else 2
            box = f"{class_id} {32 / 96} 0.5 {32 / 96} 0.5\n"
            (root / part / "labels" / f"{number}.txt").write_text(box)
    (root / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {list(COLORS)}\n")
    return root
