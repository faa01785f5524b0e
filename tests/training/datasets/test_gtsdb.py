"""Background is cut where no sign is."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.datasets import gtsdb
from training.datasets.images import DataError


def test_background_touches_no_sign(background: Path) -> None:
    crops, pictures = gtsdb.background(background, size_hw=(16, 16), per_picture=5, seed=0)
    assert crops.shape == (40, 3, 16, 16)
    assert pictures.bincount().tolist() == [5] * 8
    (background / "gt.txt").write_text("00000.ppm;0;0;320;240;14\n")  # as GTSDB names them
    with pytest.raises(DataError, match="leave no room"):
        gtsdb.background(background, size_hw=(16, 16), per_picture=1, seed=0)
