"""Small drives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.recordings.bag import BagWriter
from tests.bags import RAW, raw
from tests.conftest import solid

COLORS = ("Red", "Green", "Blue")


@pytest.fixture(scope="session")
def models(signs_model: Path, segmentation_model: Path, detector_model: Path) -> list[str]:
    named = {"--signs": signs_model, "--segmentation": segmentation_model, "--detector": detector_model}
    return [str(word) for pair in named.items() for word in pair]


def write_drive(path: Path, color: str, frames: int = 8) -> Path:
    """A sign of one colour that moves over grey."""
    with BagWriter(path) as bag:
        for number in range(frames):
            frame = solid("grey", 96, 128)
            frame[12:36, 20 + number : 44 + number] = solid(color, 1, 1)
            bag.write(RAW, raw(frame, number), 100 * 10**9 + number * 10**8)
    return path


@pytest.fixture
def drives(tmp_path: Path) -> list[Path]:
    """Three drives, of which one is noisy."""
    folder = tmp_path / "drives"
    made = [write_drive(folder / color.lower(), color) for color in COLORS]
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    with BagWriter(folder / "noise") as bag:
        for number in range(30):
            bag.write(RAW, raw(noise, number), 100 * 10**9 + number * 10**8)
    return [*made, folder / "noise"]
