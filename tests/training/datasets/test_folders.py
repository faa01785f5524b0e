"""Anyone's own pictures are read; what no model could hold is named."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from training.datasets import folders
from training.datasets import gtsrb as gtsrb_reader
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr
from training.segmentation import data as segmentation
from training.signs import data as signs


def test_folders_of_other_programs_are_no_classes(class_folders: Path) -> None:
    for name in (".thumbnails", "__MACOSX"):
        shutil.copytree(class_folders / "red", class_folders / name)
    shutil.copy(class_folders / "red" / "0.png", class_folders / "red" / "._0.png")
    found = signs.read(class_folders)
    assert found.labels == ("blue", "green", "red")
    assert len(found.images) == 60


def test_classes_in_a_folder_too_many_are_told_so(class_folders: Path, tmp_path: Path) -> None:
    shutil.copytree(class_folders, tmp_path / "all" / "images")
    with pytest.raises(DataError, match="all is not GTSRB, and has 1 class folders"):
        signs.read(tmp_path / "all")
    for part in ("day", "night"):
        shutil.copytree(class_folders, tmp_path / "parts" / part)
    with pytest.raises(DataError, match=r"day holds no pictures but folders \(blue, …\)"):
        signs.read(tmp_path / "parts")


def test_names_that_are_not_utf8(class_folders: Path) -> None:
    latin = os.fsdecode("Straße".encode("latin-1"))
    shutil.copy(class_folders / "red" / "0.png", class_folders / "red" / f"{latin}.png")
    assert read_bgr(class_folders / "red" / f"{latin}.png").ndim == 3  # OpenCV alone would crash
    (class_folders / latin).mkdir()
    with pytest.raises(DataError, match="is not UTF-8; rename the folder"):
        signs.read(class_folders)


def test_more_classes_than_a_byte_can_name_are_refused(tmp_path: Path) -> None:
    for number in range(256):
        (tmp_path / f"class {number}").mkdir()
    with pytest.raises(DataError, match="a model can know 255 classes"):
        signs.read(tmp_path)


def test_an_empty_class_is_named(class_folders: Path) -> None:
    (class_folders / "yellow").mkdir()
    with pytest.raises(DataError, match="yellow"):
        signs.read(class_folders)


def test_own_masks(mask_folders: Path) -> None:
    data = segmentation.MaskData(str(mask_folders), size_hw=(4, 6))
    data.setup()
    assert data.labels == ("Free", "Kerb")
    assert data.palette == ((0, 255, 0), (255, 0, 0))
    assert data.val.tensors[1][0, 0].tolist() == [0, 1, 255, 0, 1, 255]
    assert data.pixel_shares().tolist() == [0.5, 0.5]


def test_a_missing_mask_is_named(mask_folders: Path) -> None:
    (mask_folders / "train" / "masks" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.jpg"):
        folders.read_masks(mask_folders)


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([("Road", [300, 0, 0]), ("Kerb", [0, 0, 0])], r"color of 'Road' is \[300, 0, 0\]"),
        ([("Road", [0.5, 0.5, 0.5]), ("Kerb", [0, 0, 0])], "expected 0 to 255"),
        ([("Road", [0, 0, 0]), ("Road", [9, 9, 9])], "'Road' is listed twice"),
        ([(f"class {k}", [k % 256, 0, 0]) for k in range(256)], "a model can know 255"),
    ],
)
def test_descriptions_that_no_model_could_hold_are_refused(
    mask_folders: Path, classes: list[tuple[str, list[float]]], said: str
) -> None:
    entries = [{"name": name, "color": color} for name, color in classes]
    (mask_folders / "classes.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match=said):
        segmentation.read(mask_folders)


def test_label_images_may_end_in_capitals(mask_folders: Path) -> None:
    mask = mask_folders / "train" / "masks" / "a.png"
    mask.rename(mask.with_suffix(".PNG"))
    assert segmentation.read(mask_folders).train[0].mask_path.suffix == ".PNG"


def test_no_data_set_at_all(tmp_path: Path) -> None:
    for read in (segmentation.read, signs.read):
        with pytest.raises(DataError, match="no folder"):
            read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"classes\.json"):
        segmentation.read(tmp_path)
    with pytest.raises(DataError, match="class folders"):
        signs.read(tmp_path)
    with pytest.raises(DataError, match=r"Train\.csv"):
        gtsrb_reader.read(tmp_path)


def test_a_file_says_how_far_around_the_sign_pictures_reach(class_folders: Path) -> None:
    assert folders.read_classes(class_folders).box_margin == 0
    (class_folders / "box_margin.json").write_text("0.1\n")
    assert folders.read_classes(class_folders).box_margin == 0.1
    for wrong in ("2", "-0.1", "true", '"0.1"', "", "{}"):
        (class_folders / "box_margin.json").write_text(wrong)
        with pytest.raises(DataError, match=r"box_margin\.json.*expected a share of the sign's size"):
            folders.read_classes(class_folders)


def test_the_end_of_a_drive_without_parts_validates(mask_folders: Path) -> None:
    drive = mask_folders / "train"
    shutil.copy(mask_folders / "classes.json", drive)
    for number in range(1, 11):
        for kind, name in (("images", "a.jpg"), ("masks", "a.png")):
            one = drive / kind / name
            shutil.copy(one, one.with_stem(str(number)))
    for kind, name in (("images", "a.jpg"), ("masks", "a.png")):
        (drive / kind / name).unlink()
    found = segmentation.read(drive)
    assert [image.path.stem for image in found.train] == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert [image.path.stem for image in found.val] == ["9", "10"]
