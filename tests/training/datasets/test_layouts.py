"""Layouts of other kinds are refused with what gave them away; folders of signs are not taken for them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.check import Kind, check, require_sound
from training.datasets import layouts
from training.datasets.images import DataError
from training.segmentation import data as segmentation
from training.signs import data as signs
from training.signs.data import SignData


def fill(folder: Path, *, suffix: str = ".png", count: int = 4) -> Path:
    """Noisy pictures of one size, numbered from 0."""
    rng = np.random.default_rng(len(folder.name))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number}{suffix}"), picture)
    return folder


def label(folder: Path, *, suffix: str = ".png", count: int = 4) -> Path:
    """Label images of the size of those pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        mask = np.zeros((30, 40), np.uint8)
        mask[number:] = 1
        cv2.imwrite(str(folder / f"{number}{suffix}"), mask)
    return folder


def images_and_masks(root: Path) -> None:
    fill(root / "images")
    label(root / "masks")


def other_names(root: Path) -> None:
    fill(root / "Bilder", suffix=".jpg")
    label(root / "Segmente")


def voc(root: Path) -> None:
    fill(root / "JPEGImages", suffix=".jpg")
    label(root / "SegmentationClass")
    (root / "ImageSets").mkdir()


def voc_boxes(root: Path) -> None:
    fill(root / "JPEGImages", suffix=".jpg")
    (root / "Annotations").mkdir()


def cvat_camvid(root: Path) -> None:
    fill(root / "default")
    label(root / "defaultannot")
    (root / "label_colors.txt").write_text("128 64 128 road\n")


def cvat(root: Path) -> None:
    fill(root / "images")
    (root / "annotations.xml").write_text(
        '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>\n'
    )


def cvat_voc(root: Path) -> None:
    fill(root / "a")
    fill(root / "b")
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n")


def coco_of_roboflow(root: Path) -> None:
    for part in ("train", "valid", "test"):
        (fill(root / part) / "_annotations.coco.json").write_text('{"images": []}')


def coco(root: Path) -> None:
    fill(root / "one")
    fill(root / "two")
    (root / "all.json").write_text(json.dumps({"info": {}, "images": [], "annotations": []}))


def yolo(root: Path) -> None:
    for part in ("train", "val"):
        fill(root / part / "images")
        (root / part / "labels").mkdir()


def yolo_flat(root: Path) -> None:
    fill(root / "images")
    (root / "labels").mkdir()
    (root / "data.yaml").write_text("nc: 1\n")


def masks_beside_pictures(root: Path) -> None:
    for part in ("train", "valid"):
        folder = fill(root / part)
        for path in label(root / "m").iterdir():
            path.rename(folder / f"{path.stem}_mask.png")
        (root / "m").rmdir()


def parts_alone(root: Path) -> None:
    fill(root / "train")
    fill(root / "test")


LAYOUTS = (
    *(images_and_masks, other_names, voc, voc_boxes, cvat, cvat_camvid, cvat_voc, yolo),
    *(masks_beside_pictures, parts_alone),
)
OF_BOXES = (coco_of_roboflow, coco, yolo_flat)


@pytest.mark.parametrize("make", LAYOUTS, ids=lambda make: make.__name__)
def test_exports_of_other_kinds_are_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    root = tmp_path / "export"
    root.mkdir()
    make(root)
    (only,) = check(root)
    assert only.kind is Kind.LAYOUT
    assert ("looks like" in only.message and "is there; for " in only.message) or "/Stop/…jpg" in only.message
    for read in (signs.read, segmentation.read):
        with pytest.raises(DataError, match=r"looks like|parts of a data set"):
            read(root)
    with pytest.raises(DataError):
        require_sound(SignData(str(root)))


@pytest.mark.parametrize("make", OF_BOXES, ids=lambda make: make.__name__)
def test_exports_of_boxes_are_for_the_detector(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Without a single box in them, which is wrong with them."""
    root = tmp_path / "export"
    root.mkdir()
    make(root)
    (only,) = check(root)
    assert only.kind in (Kind.LAYOUT, Kind.NO_BOXES)
    for read in (signs.read, segmentation.read):
        with pytest.raises(DataError, match=r"looks like.*sign_detector\.yaml"):
            read(root)
    with pytest.raises(DataError):
        require_sound(SignData(str(root)))


def test_parts_of_camvid_from_another_tool_need_their_classes(camvid: Path) -> None:
    (camvid / "label_colors.txt").write_text("128 64 128 road\n")
    with pytest.raises(DataError, match=r"label_colors\.txt is of CVAT's export.*classes\.json"):
        segmentation.read(camvid)


@pytest.mark.parametrize("names", [("Mask", "Stop"), ("Train", "Bus"), ("test", "Stop"), ("Default", "Stop")])
def test_a_sign_may_have_one_doubtful_name(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        fill(tmp_path / name)
    assert layouts.foreign(tmp_path) == ""
    assert set(signs.read(tmp_path).labels) == set(names)


def test_equal_names_alone_say_nothing(class_folders: Path) -> None:
    shutil.copytree(class_folders / "red", class_folders / "rot")
    assert layouts.foreign(class_folders) == ""


def test_flat_drawings_of_another_size_are_a_class(tmp_path: Path) -> None:
    fill(tmp_path / "Stop")
    (tmp_path / "Yield").mkdir()
    for number in range(4):
        cv2.imwrite(str(tmp_path / "Yield" / f"{number}.png"), np.full((32, 32, 3), 90, np.uint8))
    assert layouts.foreign(tmp_path) == ""
    for number in range(4):
        (tmp_path / "Yield" / f"{number}.png").write_bytes(b"no picture")
    assert layouts.foreign(tmp_path) == ""
