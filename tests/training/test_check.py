"""The check of a data set names every kind of damage with its path, and leaves healthy data alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.check import Kind, Problem, check, pictures, require_sound
from training.datasets.images import DataError
from training.segmentation.data import MaskData
from training.segmentation.data import read as read_masks
from training.signs.data import SignData, read
from training.split import split_by_track

ROOT = Path(__file__).resolve().parents[2]


def listed(problems: list[Problem]) -> set[tuple[Kind, str]]:
    return {(problem.kind, problem.path.name) for problem in problems}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training", "check", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_healthy_data_may_be_trained_on(class_folders: Path, camvid: Path, background: Path) -> None:
    assert check(class_folders, background=background) == []
    require_sound(SignData(str(class_folders), background=str(background), hold_out=("red",)))
    require_sound(MaskData(str(camvid)))
    assert {problem.kind for problem in check(camvid)} == {Kind.ABSENT}  # drawn with sky and road only


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


def test_the_split_that_is_trained_with_decides(class_folders: Path) -> None:
    train, val = split_by_track(read(class_folders).images, val_fraction=0.3, seed=5)
    by_class = {image.class_id: image.path for image in train}
    shutil.copy(by_class[val[0].class_id], val[0].path)
    with pytest.raises(DataError, match="training and validation") as refused:
        require_sound(SignData(str(class_folders), val_fraction=0.3, seed=5))
    assert "--val_fraction 0.3 --seed 5 lists everything" in str(refused.value)
    assert "training and validation" in run(class_folders, "--val_fraction", "0.3", "--seed", "5").stdout


def test_pictures_that_go_unused_are_a_warning(class_folders: Path) -> None:
    (class_folders / "red" / "20.gif").write_bytes(b"GIF89a")
    (class_folders / "red" / "night").mkdir()
    (class_folders / "red" / "notes.txt").write_text("from the garage")
    (class_folders / "red" / ".DS_Store").write_bytes(b"")
    assert listed(check(class_folders)) == {(Kind.UNUSED, "20.gif"), (Kind.UNUSED, "night")}


def test_classes_may_have_the_names_of_parts(class_folders: Path) -> None:
    (class_folders / "red").rename(class_folders / "train")
    (class_folders / "blue").rename(class_folders / "val")
    assert check(class_folders) == []


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


def test_what_is_meant_for_the_other_task_or_missing_is_said(class_folders: Path, camvid: Path) -> None:
    with pytest.raises(DataError, match=r"no layout of masks.*signs\.yaml"):
        require_sound(MaskData(str(class_folders)))
    with pytest.raises(DataError, match=r"holds masks.*segnet\.yaml"):
        require_sound(SignData(str(camvid)))
    for data in (SignData("nowhere"), MaskData("nowhere")):
        with pytest.raises(DataError, match="no folder nowhere"):
            require_sound(data)


def test_a_list_that_breaks_off_is_named(tmp_path: Path) -> None:
    for text in (b"Width,ClassId,Path\n28,27", b"Width,Height\n28,27\n", b"Path,ClassId\n\xff\xfe,1\n"):
        (tmp_path / "Train.csv").write_bytes(text)
        (problem,) = check(tmp_path)
        assert problem.kind is Kind.LAYOUT and "Train.csv" in problem.message


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


def test_masks_are_not_taken_for_signs(camvid: Path) -> None:
    with pytest.raises(DataError, match="holds masks"):
        require_sound(SignData(str(camvid)))


def test_half_of_cityscapes_is_not_taken_for_signs(cityscapes: Path) -> None:
    shutil.rmtree(cityscapes / "gtFine")
    (only,) = check(cityscapes)
    assert only.kind is Kind.LAYOUT and "gtFine/ (Cityscapes)" in only.message


def test_options_of_signs_are_refused_for_masks(camvid: Path, background: Path) -> None:
    with pytest.raises(DataError, match="--background"):
        check(camvid, background=background)


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


def test_the_command_says_it_briefly(class_folders: Path) -> None:
    for number in range(12):
        (class_folders / "red" / f"{number}.png").write_bytes(b"")
    done = run(class_folders)
    assert done.returncode == 1
    assert "unreadable pictures (12)" in done.stdout
    assert "red/0.png" in done.stdout and "and 2 more" in done.stdout
    assert done.stderr.count("\n") == 1 and "12 errors" in done.stderr
    assert "more" not in run(class_folders, "--all").stdout


def test_warnings_alone_pass(gtsrb: Path, tmp_path: Path) -> None:
    done = run(shutil.copytree(gtsrb / "GTSRB", tmp_path / "signs [v2]"))
    assert done.returncode == 0, done.stderr
    assert "signs [v2]: no errors, 40 warnings" in done.stdout
