"""The check of masks names every kind of damage with its path, and leaves healthy data alone."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.checks import listed, run
from training.check import Kind, check, require_sound
from training.datasets.images import DataError
from training.segmentation.data import MaskData
from training.segmentation.data import read as read_masks


def test_another_data_set_in_camvids_layout_has_its_own_ids(camvid: Path) -> None:
    names = [{"name": name, "color": [0, 0, 9]} for name in ("Free", "Kerb", "Cone", "Lane")]
    (camvid / "classes.json").write_text(json.dumps(names))
    unknown = [problem for problem in check(camvid) if problem.kind is Kind.UNKNOWN_IDS]
    assert len(unknown) == 20 and unknown[0].message.startswith("11 in")  # CamVid's void is none of theirs


def test_damaged_masks_are_listed_in_one_go(camvid: Path) -> None:
    masks = camvid / "trainannot"
    ids = cv2.imread(str(masks / "0.png"), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(masks / "0.png"), np.where(ids == 3, 40, ids).astype(np.uint8))
    cv2.imwrite(str(masks / "1.png"), ids[:, ::2])
    cv2.imwrite(str(masks / "2.png"), cv2.merge([ids, ids, ids]))
    (masks / "3.png").unlink()
    (camvid / "train" / "4.png").unlink()
    (masks / "5.png").write_bytes(b"no picture")
    shutil.copy(camvid / "train" / "6.png", camvid / "val" / "0.png")
    problems = check(camvid)
    assert {
        (f.kind, f.path.relative_to(camvid).as_posix()) for f in problems if f.kind is not Kind.ABSENT
    } == {
        (Kind.UNKNOWN_IDS, "trainannot/0.png"),
        (Kind.SIZE, "trainannot/1.png"),
        (Kind.COLORS, "trainannot/2.png"),
        (Kind.NO_MASK, "train/3.png"),
        (Kind.NO_PICTURE, "trainannot/4.png"),
        (Kind.UNREADABLE, "trainannot/5.png"),
        (Kind.LEAK, "val/0.png"),
    }
    assert any(f.kind is Kind.UNKNOWN_IDS and f.message.startswith("40 in ") for f in problems)
    with pytest.raises(DataError, match="unknown ids"):
        require_sound(MaskData(str(camvid)))


def test_what_cannot_be_read_is_not_called_absent(mask_folders: Path) -> None:
    mask = mask_folders / "train" / "masks" / "a.png"
    cv2.imwrite(str(mask), np.zeros((4, 6, 3), np.uint8))
    of_train = [f for f in check(mask_folders) if "train" in f.path.parts]
    assert [(f.kind, f.message) for f in of_train] == [(Kind.COLORS, "colours")]


def test_masks_that_count_nowhere_are_refused(mask_folders: Path) -> None:
    for part in ("train", "val"):
        mask = mask_folders / part / "masks" / "a.png"
        cv2.imwrite(str(mask), np.array([[0, 0, 255, 255, 255, 255]] * 4, np.uint8))
    assert listed(check(mask_folders)) >= {(Kind.ONE_CLASS, "images")}
    assert "67% of the pixels are 255" in run(mask_folders).stdout
    cv2.imwrite(str(mask), np.full((4, 6), 255, np.uint8))
    assert (Kind.NO_SPLIT, "images") in listed(check(mask_folders))


def test_hidden_files_of_cityscapes_do_not_count(cityscapes: Path) -> None:
    before = listed(check(cityscapes))
    hidden = "._ulm_000_leftImg8bit.png", "._ulm_001_gtFine_labelIds.png"
    for kind, name in zip(("leftImg8bit", "gtFine"), hidden):
        (cityscapes / kind / "train" / "ulm" / name).write_bytes(b"of a Mac")
    assert listed(check(cityscapes)) == before
    assert len(read_masks(cityscapes).train) == 1


def test_half_of_cityscapes_is_not_taken_for_signs(cityscapes: Path) -> None:
    shutil.rmtree(cityscapes / "gtFine")
    (only,) = check(cityscapes)
    assert only.kind is Kind.LAYOUT and "gtFine/ (Cityscapes)" in only.message


def test_void_is_known_in_each_layout(cityscapes: Path, mask_folders: Path) -> None:
    assert Kind.UNKNOWN_IDS not in {problem.kind for problem in check(cityscapes)}  # has 4
    unknown = [problem for problem in check(mask_folders) if problem.kind is Kind.UNKNOWN_IDS]
    assert [problem.message for problem in unknown] == ["9 in 16.67% of its pixels"] * 2  # and 255, twice


def test_masks_without_or_with_a_bad_description(mask_folders: Path) -> None:
    (mask_folders / "classes.json").write_text("{")
    assert Kind.LAYOUT in {problem.kind for problem in check(mask_folders)}
    (mask_folders / "classes.json").unlink()
    (only,) = check(mask_folders)
    assert only.kind is Kind.LAYOUT and "classes.json" in only.message


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_turned_pictures_of_masks_are_refused(camvid: Path, orientation: int) -> None:
    """A camera upside down writes it into its pictures, and no label image says which way round it is."""
    for path in sorted((camvid / "train").iterdir())[:2]:
        jpeg = cv2.imencode(".jpg", cv2.imread(str(path)))[1].tobytes()
        path.unlink()
        path.with_suffix(".jpg").write_bytes(turned(jpeg, orientation))
    turned_pictures = {(Kind.TURNED, "0.jpg"), (Kind.TURNED, "1.jpg")}
    assert {one for one in listed(check(camvid)) if one[0].severity == "error"} == turned_pictures
    with pytest.raises(DataError, match="turned when read"):
        require_sound(MaskData(str(camvid)))
    with pytest.raises(DataError, match=r"0\.jpg is turned when it is read"):
        MaskData(str(camvid)).setup()


def test_an_orientation_that_changes_nothing_is_none(camvid: Path) -> None:
    path = camvid / "train" / "0.png"
    jpeg = cv2.imencode(".jpg", cv2.imread(str(path)))[1].tobytes()
    path.unlink()
    path.with_suffix(".jpg").write_bytes(turned(jpeg, 1))
    require_sound(MaskData(str(camvid)))


def test_files_beside_pictures_and_label_images_are_named(camvid: Path) -> None:
    for name in ("train/a.HEIC", "trainannot/a.bmp", "train/Thumbs.db", "train/._0.png", "train/notes.txt"):
        (camvid / name).write_bytes(b"")
    unused = {name for kind, name in listed(check(camvid)) if kind is Kind.UNUSED}
    assert unused == {"a.HEIC", "a.bmp"}


def turned(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an orientation (EXIF)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
