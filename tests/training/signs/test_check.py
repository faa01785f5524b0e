"""The check of crops names every kind of damage with its path, and leaves healthy data alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.checks import listed
from training.check import Kind, check, pictures, require_sound
from training.datasets.images import DataError
from training.signs.data import SignData, read
from training.split import split_by_track


def test_gtsrb_without_some_classes_is_a_warning(gtsrb: Path) -> None:
    problems = check(gtsrb)
    assert {problem.severity for problem in problems} == {"warning"}
    assert "class 14, Stop" in [problem.message for problem in problems]


def test_damaged_signs_are_listed_in_one_go(class_folders: Path) -> None:
    blue = class_folders / "blue"
    (blue / "0.png").write_bytes(b"no picture")
    (blue / "1.png").write_bytes((blue / "1.png").read_bytes()[:200])
    (blue / "2.png").write_bytes(b"")
    jpeg = cv2.imencode(".jpg", cv2.imread(str(blue / "4.png")))[1].tobytes()
    (blue / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])  # OpenCV reads it
    cv2.imwrite(str(blue / "tiny.png"), np.full((7, 20, 3), 9, np.uint8))
    (class_folders / "yellow").mkdir()
    (class_folders / "white").mkdir()
    cv2.imwrite(str(class_folders / "white" / "alone.png"), np.full((20, 20, 3), 255, np.uint8))
    assert listed(check(class_folders)) == {
        *((Kind.UNREADABLE, name) for name in ("0.png", "1.png", "2.png", "cut.jpg")),
        (Kind.TINY, "tiny.png"),
        (Kind.EMPTY, "yellow"),
        (Kind.NO_VALIDATION, "white"),
        (Kind.SMALL, "white"),
    }


def test_pictures_that_git_lfs_did_not_fetch_are_listed(class_folders: Path) -> None:
    (class_folders / "blue" / "0.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    (only,) = check(class_folders)
    assert only.kind is Kind.UNREADABLE and "git lfs pull" in only.message


def test_copies_are_judged_by_class_and_side(class_folders: Path) -> None:
    train, val = split_by_track(read(class_folders).images, val_fraction=0.1, seed=0)
    red = [image.path for image in train if image.path.parent.name == "red"]
    blue = next(image.path for image in val if image.path.parent.name == "blue")
    # Overwritten, so that the split stays: a leak, saved anew; a copy on one side; a wrong label.
    cv2.imwrite(str(blue), cv2.imread(str(next(i.path for i in train if i.class_id == 0))))
    shutil.copy(red[0], red[1])
    shutil.copy(red[2], next(i.path for i in train if i.path.parent.name == "green"))
    problems = check(class_folders)
    assert {problem.kind for problem in problems} == {Kind.LEAK, Kind.COPY, Kind.TWO_CLASSES}
    (leak,) = (problem for problem in problems if problem.kind is Kind.LEAK)
    assert leak.path == blue
    with pytest.raises(DataError, match=r"(?s)same picture in two classes \(1\).*training and validation"):
        require_sound(SignData(str(class_folders)))


def test_pictures_that_go_unused_are_a_warning(class_folders: Path) -> None:
    (class_folders / "red" / "20.psd").write_bytes(b"8BPS")
    (class_folders / "red" / "night").mkdir()
    (class_folders / "red" / "notes.txt").write_text("from the garage")
    (class_folders / "red" / ".DS_Store").write_bytes(b"")
    assert listed(check(class_folders)) == {(Kind.UNUSED, "20.psd"), (Kind.UNUSED, "night")}


def test_a_class_may_have_the_name_of_a_part_but_not_two(class_folders: Path) -> None:
    (class_folders / "red").rename(class_folders / "train")
    assert check(class_folders) == []
    (class_folders / "blue").rename(class_folders / "val")
    (only,) = check(class_folders)
    assert only.kind is Kind.LAYOUT and "train/Stop/…jpg" in only.message


def test_what_fit_would_refuse_is_listed(class_folders: Path) -> None:
    (class_folders / "flips.json").write_text('{"red": "rot"}')
    (class_folders / "red" / "20.png").write_bytes(b"")
    assert listed(check(class_folders)) == {(Kind.LAYOUT, "own"), (Kind.UNREADABLE, "20.png")}


def test_one_picture_of_background_cannot_teach_and_validate(class_folders: Path, background: Path) -> None:
    for number in range(1, 8):
        (background / f"{number:05d}.jpg").unlink()
    assert listed(check(class_folders, background=background)) == {(Kind.NO_SPLIT, "street")}


def test_classes_held_out_validate_nothing(class_folders: Path) -> None:
    for name in ("green", "red"):
        for file in sorted((class_folders / name).iterdir())[1:]:
            file.unlink()
    assert (Kind.NO_SPLIT, "own") in listed(check(class_folders, hold_out=["blue"]))


def test_one_class_is_refused(class_folders: Path) -> None:
    for name in ("green", "red"):
        shutil.rmtree(class_folders / name)
    assert listed(check(class_folders)) == {(Kind.ONE_CLASS, "own")}


def test_damaged_background_is_listed(class_folders: Path, background: Path) -> None:
    (background / "00003.jpg").write_bytes(b"no picture")
    shutil.copy(background / "00001.jpg", background / "00000.jpg")  # the first validates
    for line in ("00000.jpg;0;0", "IMG_1.jpg;0;0;9;9;14"):
        (background / "gt.txt").write_text(f"{line}\n")
        assert listed(check(class_folders, background=background)) == {
            (Kind.UNREADABLE, "00003.jpg"),
            (Kind.LEAK, "00000.jpg"),
            (Kind.LAYOUT, "gt.txt"),
        }


def test_street_that_a_sign_fills_is_listed(class_folders: Path, background: Path) -> None:
    (background / "gt.txt").write_text("\n00002.jpg;0;0;320;240;14\n\n00003.jpg;0;0;30;30;14\n")
    assert listed(check(class_folders, background=background)) == {(Kind.COVERED, "00002.jpg")}


def test_pictures_saved_or_scaled_again_are_listed(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "CHUNK", 7)
    train, val = split_by_track(read(class_folders).images, val_fraction=0.1, seed=0)
    copies = [image.path for image in val if image.class_id == 0]
    learnt = [cv2.imread(str(image.path)) for image in train if image.class_id == 0]
    cv2.imwrite(str(copies[0]), cv2.resize(learnt[0], (50, 50), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(copies[1]), np.clip(learnt[1].astype(int) + 9, 0, 255).astype(np.uint8))
    assert listed(check(class_folders)) == {(Kind.ALIKE, copy.name) for copy in copies[:2]}
    require_sound(SignData(str(class_folders)))


def test_whole_photos_are_a_warning(class_folders: Path) -> None:
    cv2.imwrite(str(class_folders / "red" / "photo.jpg"), np.full((600, 800, 3), 90, np.uint8))
    assert listed(check(class_folders)) == {(Kind.WHOLE, "photo.jpg")}
    require_sound(SignData(str(class_folders)))


def test_a_list_that_breaks_off_is_named(tmp_path: Path) -> None:
    for text in (b"Width,ClassId,Path\n28,27", b"Width,Height\n28,27\n", b"Path,ClassId\n\xff\xfe,1\n"):
        (tmp_path / "Train.csv").write_bytes(text)
        (problem,) = check(tmp_path)
        assert problem.kind is Kind.LAYOUT and "Train.csv" in problem.message
