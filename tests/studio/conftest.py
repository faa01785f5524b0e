"""A folder with one data set, and a studio that may read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.studio.browser import Browser
from tests.training.conftest import sign


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Three classes of signs of ten pictures each."""
    rng = np.random.default_rng(0)
    for class_id, name in enumerate(("Go", "Stop", "Yield")):
        folder = tmp_path / "data" / "my signs" / name
        folder.mkdir(parents=True)
        for number in range(10):
            cv2.imwrite(str(folder / f"{number}.png"), sign(class_id, rng))
    return tmp_path / "data" / "my signs"


@pytest.fixture
def browser(tmp_path: Path, signs: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "studio", signs.parent) as browser:
        yield browser
    browser.end()
