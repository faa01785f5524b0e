"""Boxes in four forms become the same pictures, boxes and parts; what is wrong with them is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.checks import listed, run
from tests.training.detection import streets
from training.check import Kind, check, require_sound, understood
from training.datasets import boxes
from training.datasets.images import BoxSet, DataError
from training.detection.data import BoxData
from training.signs.data import SignData

FORMS = {"GTSDB": streets.gtsdb, "YOLO": streets.yolo, "COCO": streets.coco, "Pascal VOC": streets.voc}
each_form = pytest.mark.parametrize("name", FORMS)


def pixels(dataset: BoxSet) -> dict[str, list[list[int]]]:
    size = (streets.HEIGHT, streets.WIDTH)
    return {
        f"{image.part}/{image.path.name}": image.pixels(size).round().astype(int).tolist()
        for image in dataset.images
    }


@each_form
def test_all_forms_give_the_same(name: str, tmp_path: Path) -> None:
    root = FORMS[name](tmp_path / "data")
    form, dataset = boxes.form_of(root), boxes.read(root)
    assert form is not None and form.name == name
    assert len(dataset.images) == 10 and all(image.path.is_file() for image in dataset.images)
    if name == "GTSDB":
        assert dataset.labels[14] == "Stop" and not any(image.part for image in dataset.images)
        wanted = {f"/{k}": v for k, v in streets.fill(tmp_path / "again", 10).items()}
        classes = {0, 14}
    else:
        assert dataset.labels == ("stop", "yield")
        wanted = {f"train/{k}": v for k, v in streets.fill(tmp_path / "train", 6, seed=6).items()}
        wanted |= {f"val/{k}": v for k, v in streets.fill(tmp_path / "val", 4, seed=4).items()}
        if name == "Pascal VOC":
            ten = streets.fill(tmp_path / "again", 10)
            wanted = {f"{('train', 'val')[k > '00005.png']}/{k}": v for k, v in ten.items()}
        classes = {0, 1}
    assert pixels(dataset) == {name: [list(box) for box in own] for name, own in wanted.items()}
    assert {number for image in dataset.images for number in image.class_ids} == classes

    assert check(root) == []
    assert understood(root).startswith(f"boxes: {name}, 20 boxes of ")
    require_sound(BoxData(str(root)))
    train, val = boxes.split(dataset.images, val_fraction=0.2)
    assert (len(train), len(val)) == ((8, 2) if name == "GTSDB" else (6, 4))
    with pytest.raises(DataError, match=r"holds boxes.*sign_detector\.yaml.*cut each box out"):
        require_sound(SignData(str(root)))


def test_other_spellings_of_yolo(tmp_path: Path) -> None:
    """Ultralytics' folders, names by number, an outline instead of a box, and a picture without a file."""
    for part in ("train", "val"):
        streets.fill(tmp_path / "images" / part, 2)
        (tmp_path / "labels" / part).mkdir(parents=True)
        (tmp_path / "labels" / part / "00000.txt").write_text("2 0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4\n\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: a\n  2: b\n")
    dataset = boxes.read(tmp_path)
    assert dataset.labels == ("a", "1", "b")
    first, second, *_ = dataset.images
    assert first.boxes == ((0.1, 0.1, 0.3, 0.4),) and first.class_ids == (2,) and second.boxes == ()
    assert [image.part for image in dataset.images] == ["train", "train", "val", "val"]


def test_coco_of_roboflow(tmp_path: Path) -> None:
    root = streets.coco(tmp_path / "coco")
    for part, folder in (("train", "train"), ("val", "valid")):
        (root / part).rename(root / "moved")
        (root / "moved").rename(root / folder)
        (root / "annotations" / f"instances_{part}.json").rename(root / folder / "_annotations.coco.json")
    (root / "annotations").rmdir()
    dataset = boxes.read(root)
    assert [image.part for image in dataset.images] == ["train"] * 6 + ["val"] * 4
    assert all(image.path.is_file() for image in dataset.images) and check(root) == []


def yolo_line(line: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / "train" / "labels" / "00000.txt").write_text(line)

    return change


def coco_content(**changes: object) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "annotations" / "instances_train.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def voc_text(old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "Annotations" / "00000.xml"
        path.write_text(path.read_text().replace(old, new))

    return change


@pytest.mark.parametrize(
    ("name", "change", "clue"),
    [
        ("YOLO", yolo_line("0 0.5 0.5 0.1"), r"00000\.txt, line 1: 4 numbers"),
        ("YOLO", yolo_line("0 0.5 0.5 0.1 0.1\nstop 1 1 1 1"), "line 2"),
        ("YOLO", lambda root: (root / "data.yaml").write_text("names: [a"), "not YAML"),
        ("YOLO", lambda root: (root / "data.yaml").write_text("names: {a: b}"), "numbers of classes"),
        ("COCO", coco_content(categories=[]), "category_id 3 of annotation 0 is none"),
        ("COCO", coco_content(images=[]), "image_id 7 of an annotation is none"),
        ("COCO", coco_content(categories=[{"id": 3}]), "lacks 'name'"),
        ("Pascal VOC", voc_text("<xmin>", "<x>"), r"00000\.xml: "),
        ("GTSDB", lambda root: (root / "gt.txt").write_text("00000.ppm;1;2;3;4\n"), "a line is file;x1"),
        ("GTSDB", lambda root: (root / "gt.txt").write_text("00000.ppm;1;2;3;4;43\n"), "43 is no class"),
    ],
)
def test_files_of_another_form_are_named(
    name: str, change: Callable[[Path], None], clue: str, tmp_path: Path
) -> None:
    root = FORMS[name](tmp_path / "data")
    change(root)
    with pytest.raises(DataError, match=clue):
        boxes.read(root)
    assert [problem.kind for problem in check(root)] == [Kind.LAYOUT]


def turn(path: Path) -> None:
    """Save a picture as JPEG with an orientation that turns it."""
    jpeg = cv2.imencode(".jpg", cv2.imread(str(path)))[1].tobytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:])


def test_impossible_boxes_are_listed(tmp_path: Path) -> None:
    root = streets.yolo(tmp_path / "data")
    labels, images = root / "train" / "labels", root / "train" / "images"
    for number, line in enumerate(
        [
            "0 96 80 20 20",
            "0 0.95 0.5 0.3 0.1",
            "1 0.5 0.5 0 0.1",
            "0 0.5 0.5 0.02 0.1",
            "0 0.5 0.5 0.2 0.2\n" * 2,
        ]
    ):
        (labels / f"{number:05d}.txt").write_text(line)
    turn(images / "00005.png")
    problems = check(root)
    assert listed(problems) == {
        (Kind.OUTSIDE, "00000.png"),
        (Kind.OUTSIDE, "00001.png"),
        (Kind.EMPTY_BOX, "00002.png"),
        (Kind.TINY_BOX, "00003.png"),
        (Kind.TWICE, "00004.png"),
        (Kind.TURNED_BOXES, "00005.png"),
    }
    first = next(problem for problem in problems if problem.path.name == "00000.png")
    assert "no shares" in first.message
    with pytest.raises(DataError, match="boxes beyond their picture"):
        require_sound(BoxData(str(root)))


def test_pictures_are_checked_with_their_lists(tmp_path: Path) -> None:
    root = streets.coco(tmp_path / "data")
    (root / "train" / "00000.png").unlink()
    (root / "train" / "00001.png").write_bytes(b"no picture")
    smaller = np.zeros((80, 96, 3), np.uint8)
    cv2.imwrite(str(root / "train" / "00002.png"), smaller)
    shutil.copy(root / "train" / "00003.png", root / "val" / "00000.png")
    assert listed(check(root)) == {
        (Kind.MISSING, "00000.png"),
        (Kind.UNREADABLE, "00001.png"),
        (Kind.BOX_SIZE, "00002.png"),
        (Kind.LEAK, "00000.png"),
    }
    done = run(root)
    assert done.returncode == 1 and "COCO, 20 boxes of 2 classes (stop, yield)" in done.stdout
    assert "export both again, unscaled" in " ".join(done.stdout.split())


def test_without_boxes_there_is_nothing_to_learn_or_to_validate(tmp_path: Path) -> None:
    root = streets.yolo(tmp_path / "data")
    shutil.rmtree(root / "valid" / "labels")
    assert listed(check(root)) == {(Kind.NO_SPLIT, "data")}
    shutil.rmtree(root / "train" / "labels")
    assert listed(check(root)) == {(Kind.NO_BOXES, "data")}
    with pytest.raises(DataError, match="has no boxes"):
        boxes.read(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        boxes.read(tmp_path / "nowhere")
