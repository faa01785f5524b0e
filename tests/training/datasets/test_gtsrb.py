"""GTSRB is read in each layout that the documentation names, its tracks kept together."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.datasets import gtsrb as gtsrb_reader
from training.datasets.images import DataError
from training.signs import data as signs


def test_official_gtsrb(gtsrb: Path) -> None:
    found = signs.read(gtsrb)
    assert len(found.labels) == 43
    assert found.labels[14] == "Stop"
    assert len(found.images) == 60
    assert len({image.track for image in found.images}) == 15


def test_kaggle_gtsrb(tmp_path: Path) -> None:
    with (tmp_path / "Train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId", "Path"])
        writer.writerow([29, 30, 5, 6, 24, 25, 20, "Train/20/00020_00003_00007.png"])
        writer.writerow([29, 30, 5, 6, 24, 25, 20, "Train/20/00020_00003_00008.png"])
    first, second = signs.read(tmp_path).images
    assert first.class_id == 20
    assert first.path == tmp_path / "Train/20/00020_00003_00007.png"
    assert first.track == second.track


def test_gtsrb_given_from_within_keeps_its_tracks(gtsrb: Path) -> None:
    within = signs.read(gtsrb / "GTSRB" / "Final_Training" / "Images")
    assert within.labels[14] == "Stop"
    assert [image.track for image in within.images] == [image.track for image in signs.read(gtsrb).images]
    odd = gtsrb / "GTSRB" / "Final_Training" / "Images" / "00001" / "mine.png"
    cv2.imwrite(str(odd), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"mine\.png is not named as GTSRB's"):
        signs.read(gtsrb)


def test_gtsrb_in_folders_with_names_keeps_its_tracks(gtsrb: Path, class_folders: Path) -> None:
    """Frames of one sign on both sides would make validation read 100 %."""
    images = gtsrb / "GTSRB" / "Final_Training" / "Images"
    for path in (images / "00001").iterdir():
        path.rename(class_folders / "red" / path.name)
    for path in (images / "00002").iterdir():
        path.rename(class_folders / "red" / f"00002_{path.name}")  # as on Kaggle
    red = [image for image in signs.read(class_folders).images if image.path.parent.name == "red"]
    assert (len(red), len({image.track for image in red})) == (20 + 20 + 20, 20 + 5 + 5)


def test_numbered_classes_of_another_country_are_not_gtsrbs(gtsrb: Path) -> None:
    images = gtsrb / "GTSRB" / "Final_Training" / "Images"
    (images / "00002").rename(images / "00061")
    found = signs.read(images)
    assert found.labels == ("00000", "00001", "00061") and not found.flips
    assert len({image.track for image in found.images}) == 15  # of four frames each


def test_flips_are_their_own_inverse() -> None:
    assert all(gtsrb_reader.FLIPS[mirrored] == class_id for class_id, mirrored in gtsrb_reader.FLIPS.items())


def test_kaggles_table_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    """With a byte order mark, semicolons and backslashes, and the folder in small letters."""
    folder = tmp_path / "train" / "20"
    folder.mkdir(parents=True)
    table = "Width;ClassId;Path\r\n29;20;Train\\20\\00020_00003_00007.png\r\n"
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "Train.csv").write_bytes(table.encode(encoding))
        (image,) = signs.read(tmp_path).images
        assert (image.class_id, image.path) == (20, folder / "00020_00003_00007.png")
    (tmp_path / "Train.csv").rename(tmp_path / "train.csv")
    assert signs.read(tmp_path).name == "GTSRB"
    (tmp_path / "train.csv").write_text("name,label\na,b\n")  # of another data set
    assert not gtsrb_reader.is_gtsrb(tmp_path)
    (tmp_path / "train.csv").rename(tmp_path / "Train.csv")
    with pytest.raises(DataError, match=r"Train\.csv has the columns \['name', 'label'\], without Path"):
        signs.read(tmp_path)
    (tmp_path / "Train.csv").write_text("ClassId,Path\n,a.png\n")
    with pytest.raises(DataError, match="lacks Path or ClassId"):
        signs.read(tmp_path)


@pytest.mark.parametrize("classes", ["Training", "gtsrb/GTSRB/Training", "GTSRB/Training", "Train", "Images"])
def test_gtsrb_of_other_sources(gtsrb: Path, tmp_path: Path, classes: str) -> None:
    root = tmp_path / "other"
    (root / classes).parent.mkdir(parents=True, exist_ok=True)
    (gtsrb / "GTSRB" / "Final_Training" / "Images").rename(root / classes)
    found = signs.read(root)
    assert (found.name, len({image.track for image in found.images})) == ("GTSRB", 15)
