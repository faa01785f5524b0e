"""Cityscapes' label ids become its 19 classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.datasets.images import DataError
from training.segmentation import data as segmentation


def test_cityscapes_maps_label_ids_to_its_19_classes(cityscapes: Path) -> None:
    data = segmentation.MaskData(str(cityscapes), size_hw=(4, 6))
    data.setup()
    assert len(data.labels) == 19
    assert data.val.tensors[1][0, 0].tolist() == [0, 10, 255, 0, 0, 0]


def test_own_classes_in_cityscapes_layout_are_refused(cityscapes: Path) -> None:
    (cityscapes / "classes.json").write_text("[]")
    with pytest.raises(DataError, match=r"classes\.json: .* put the pictures into \{train,val\}/images"):
        segmentation.read(cityscapes)
