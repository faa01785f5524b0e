"""CamVid, and other data sets in its layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.datasets import camvid as camvid_reader
from training.segmentation import data as segmentation


def test_camvid(camvid: Path) -> None:
    found = segmentation.read(camvid)
    assert found.labels[3] == "Road"
    assert (len(found.train), len(found.val)) == (16, 4)
    assert found.ids[11] == 255  # void


def test_camvid_has_the_eleven_classes_of_the_paper() -> None:
    assert len(camvid_reader.CLASSES) == 11


def test_another_data_set_in_camvids_layout_names_its_own_classes(
    camvid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [{"name": name, "color": [0, 0, 9]} for name in ("Free", "Kerb", "Cone", "Lane")]
    (camvid / "classes.json").write_text(json.dumps(names))
    found = segmentation.read(camvid)
    assert found.labels == ("Free", "Kerb", "Cone", "Lane") and found.name == camvid.name
    assert found.ids[3] == 3 and found.ids[4] == found.ids[11] == 255
    monkeypatch.chdir(camvid)
    assert segmentation.read(Path()).name == camvid.name
