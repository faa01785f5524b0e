"""A folder with one data set, and a studio that may read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.studio.browser import Browser
from tests.training.conftest import sign


def write_signs(folder: Path) -> Path:
    """Write a data set of three classes with ten pictures each."""
    rng = np.random.default_rng(0)
    for class_id, name in enumerate(("Go", "Stop", "Yield")):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            cv2.imwrite(str(folder / name / f"{number}.png"), sign(class_id, rng))
    return folder


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Three classes of signs of ten pictures each."""
    return write_signs(tmp_path / "data" / "my signs")


@pytest.fixture
def browser(tmp_path: Path, signs: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "studio", signs.parent) as browser:
        yield browser
    browser.end()
