"""What cannot be taken over is listed with file and place, and the rest is done."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.datasets.labels.sources import (
    HEIGHT,
    WIDTH,
    coco,
    cvat,
    filled,
    image,
    imported,
    label_studio,
    masks,
    pictures,
    polygon,
    square,
    unmapped,
)
from tests.training.datasets.test_boxes import turn
from training.datasets.images import DataError
from training.datasets.labels import Reason, import_labels

PLACE = "image 0 (a.png)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return pictures(tmp_path / "in", "a.png")


@pytest.mark.parametrize(
    ("shape", "reason", "message"),
    [
        (square("kerb", 1, 1, 9, 9), Reason.NO_CLASS, "'kerb' is none of the classes"),
        (square(None, 1, 1, 9, 9), Reason.NO_CLASS, "no class"),
        (square("line", 50, 5, 60, 9), Reason.OUTSIDE, "x 50 to 60, y 5 to 9; the picture is 40×30"),
        (square("line", -9, 5, -1, 9), Reason.OUTSIDE, "x -9 to -1"),
        (polygon("line", (5, 5), (20, 20)), Reason.EMPTY, "x 5 to 20"),
        (polygon("line", (5, 5), (20, float("nan")), (3, 9)), Reason.EMPTY, "no number"),
        ('<polyline label="line" points="1,1;9,9"/>', Reason.NO_AREA, "line"),
        ('<points label="line" points="1,1"/>', Reason.NO_AREA, "line"),
        ('<polygon label="line" points="1,1;9"/>', Reason.BROKEN, "unpack"),
        ('<polygon label="line"/>', Reason.BROKEN, "lacks 'points'"),
        ('<box label="line" xtl="x" ytl="1" xbr="2" ybr="2"/>', Reason.BROKEN, "'x'"),
        ('<mask label="line" rle="3,4" left="0" top="0" width="3" height="3"/>', Reason.BROKEN, "7 pixels"),
        ("<blob/>", Reason.BROKEN, "blob is none of polygon"),
    ],
)
def test_a_shape_that_cannot_be_used(
    shape: str, reason: Reason, message: str, source: Path, tmp_path: Path
) -> None:
    cvat(source, image("a.png", square("floor", 2, 3, 20, 21), shape))
    done, mask = imported(source, tmp_path / "out")
    assert np.array_equal(mask, filled(2, 3, 20, 21))
    (one,) = done.unmapped
    tag = shape.split(maxsplit=1)[0].strip("<>/")
    assert (one.reason, one.path.name, one.place) == (reason, "annotations.xml", f"{PLACE}, {tag} 2")
    assert message in one.message


def test_a_shape_partly_outside_is_cut(source: Path, tmp_path: Path) -> None:
    shapes = (
        square("floor", 30, -8, 60, 10),
        square("line", -0.9, 20, 5, 30.9),
        square("line", 0, 20, 4, 30),
    )
    cvat(source, image("a.png", *shapes))  # of the last two, one lies on another of its class
    done, mask = imported(source, tmp_path / "out")
    assert np.array_equal(mask, filled(0, 20, 5, 30, 1, on=filled(30, 0, 40, 10)))
    assert unmapped(done) == {
        (Reason.PARTLY, "annotations.xml", f"{PLACE}, polygon 1")
    }  # the other by a hair


def test_turned_boxes_and_ellipses_are_areas(source: Path, tmp_path: Path) -> None:
    box = '<box label="floor" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90"/>'
    ellipse = '<ellipse label="line" cx="30" cy="15" rx="8" ry="2" rotation="90"/>'
    labels = "<label><name>knee</name><parent>leg</parent></label>"  # a point of a skeleton
    path = cvat(source, image("a.png", box, ellipse))
    path.write_text(path.read_text().replace("<labels>", f"<labels>{labels}"))
    done, mask = imported(source, tmp_path / "out")
    assert (done.kind, done.labels, done.unmapped) == ("masks", ("floor", "line"), ())
    assert np.array_equal(mask == 0, filled(13, 7, 17, 17) == 0)
    rows, columns = np.nonzero(mask == 1)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 22, 28, 31)
    cvat(source, image("a.png", box))
    assert import_labels(source, tmp_path / "turned").kind == "masks"


def test_later_shapes_and_higher_ones_lie_on_top(source: Path, tmp_path: Path) -> None:
    shapes = [
        square("line", 0, 0, 10, 10, z_order=2),
        square("floor", 5, 0, 15, 10, z_order=1),
        square("line", 12, 0, 20, 10, z_order=1),
    ]
    cvat(source, image("a.png", *shapes))
    done, mask = imported(source, tmp_path / "out")
    assert mask[0, :20].tolist() == [1] * 10 + [0] * 2 + [1] * 8
    assert unmapped(done) == {(Reason.OVERLAP, "annotations.xml", PLACE)}
    assert done.unmapped[0].message == "80 px, most of them line over floor"


def test_pictures_and_labels_that_lack_each_other(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "a.png", "b.png", "day/c.png", "night/c.png")
    (source / "d.png").write_bytes(b"no picture")
    floor = square("floor", 2, 3, 20, 21)
    images = [
        image("a.png", floor),
        image("b.png", number=1),
        image("gone.png", floor, number=2),
        image("c.png", floor, number=3),
        image("d.png", floor, number=4),
        image("day/c.png", floor, number=5, size=(80, 60)),
        image("night\\c.png", floor, number=6),
    ]
    cvat(source, *images)
    done = import_labels(source, tmp_path / "out")
    assert list(masks(tmp_path / "out")) == ["masks/a.png", "masks/c.png"]
    assert unmapped(done) == {
        (Reason.NO_LABELS, "annotations.xml", "image 1 (b.png)"),
        (Reason.NO_PICTURE, "annotations.xml", "image 2 (gone.png)"),
        (Reason.NO_PICTURE, "annotations.xml", "image 3 (c.png)"),
        (Reason.UNREADABLE, "d.png", ""),
        (Reason.SIZE, "annotations.xml", "image 5 (day/c.png)"),
    }
    night = (source / "night" / "c.png").read_bytes()
    assert (tmp_path / "out" / "images" / "c.png").read_bytes() == night


def test_pictures_of_one_name_get_others(tmp_path: Path) -> None:
    names = ("day/a.png", "night/a.png", "night/a.jpg")
    source = pictures(tmp_path / "in", *names)
    cvat(source, *(image(name, square("floor", 0, 0, 9, 9), number=n) for n, name in enumerate(names)))
    done = import_labels(source, tmp_path / "out")
    written = {path.name for path in (tmp_path / "out" / "images").iterdir()}
    assert written == {"a.png", "night_a.png", "a_2.jpg"}
    assert set(masks(tmp_path / "out")) == {"masks/a.png", "masks/night_a.png", "masks/a_2.png"}
    assert [one.reason for one in done.unmapped] == [Reason.RENAMED] * 2


def test_turned_pictures_follow_their_labels_size(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "upright.png", "stored.png", "unknown.png")
    for name in ("upright", "stored", "unknown"):
        turn(source / f"{name}.png")  # by 90°
        (source / f"{name}.png").rename(source / f"{name}.jpg")
    floor = square("floor", 0, 0, 5, 5)
    sizes = {"upright": (HEIGHT, WIDTH), "stored": (WIDTH, HEIGHT), "unknown": (0, 0)}
    cvat(source, *(image(f"{name}.jpg", floor, number=n, size=sizes[name]) for n, name in enumerate(sizes)))
    done = import_labels(source, tmp_path / "out")
    assert {name: mask.shape for name, mask in masks(tmp_path / "out").items()} == {
        "masks/stored.png": (HEIGHT, WIDTH),
        "masks/upright.png": (WIDTH, HEIGHT),
    }
    assert {path.suffix for path in (tmp_path / "out" / "images").iterdir()} == {".png"}
    assert unmapped(done) == {(Reason.TURNED, "unknown.jpg", "")}


def test_cocos_annotations(source: Path, tmp_path: Path) -> None:
    annotations = [
        {"category_id": 2, "segmentation": [[2, 3, 20, 3, 20, 21, 2, 21], [30, 0, 40, 0, 40, 5, 30, 5]]},
        {"category_id": 7, "segmentation": [[0, 0, 9, 0, 9, 9]]},
        {"category_id": 5, "bbox": [30, 20, 5, 5], "segmentation": []},
        {"category_id": 5, "segmentation": {"counts": [4, 4], "size": [2, 3]}},
        {"category_id": 5, "segmentation": {"counts": "\x7f", "size": [2, 3]}},
        {"category_id": 5},
        {"category_id": 5, "segmentation": [[1, 2, 3]]},
        {"category_id": 5, "segmentation": [[1, 2, 3, 4, 5, 6]], "image_id": 9},
    ]
    done, mask = imported(coco(source, annotations), tmp_path / "out")
    expected = filled(30, 20, 35, 25, 1, on=filled(30, 0, 40, 5, on=filled(2, 3, 20, 21)))
    assert np.array_equal(mask, expected) and done.labels == ("floor", "line")  # by their ids
    assert unmapped(done) == {
        (Reason.NO_CLASS, "labels.json", "image 1 (a.png), annotation 2"),
        *((Reason.BROKEN, "labels.json", f"image 1 (a.png), annotation {number}") for number in (4, 5, 6, 7)),
        (Reason.NO_PICTURE, "labels.json", "annotation 8"),
    }


def test_label_studios_results(source: Path, tmp_path: Path) -> None:
    square = {"points": [[5, 10], [50, 10], [50, 70], [5, 70]]}
    results = [
        {"type": "polygonlabels", "value": {**square, "polygonlabels": ["floor"]}},
        {"type": "polygon", "id": "p", "value": {"points": [[0, 0], [25, 0], [25, 20], [0, 20]]}},
        {"type": "labels", "id": "p", "value": {"labels": ["line"]}},
        {"type": "rectanglelabels", "value": {"x": 75, "y": 50, "width": 20, "height": 10, "rotation": 90,
                                              "rectanglelabels": ["line"]}},
        {"type": "keypointlabels", "value": {"x": 5, "y": 5, "keypointlabels": ["line"]}},
        {"type": "polygonlabels", "value": square},
        {"type": "brushlabels", "value": {"format": "rle", "rle": [0, 0, 1], "brushlabels": ["line"]}},
        {"type": "polygonlabels", "image_rotation": 90, "value": {**square, "polygonlabels": ["line"]}},
    ]  # fmt: skip
    done, mask = imported(label_studio(source, *results), tmp_path / "out")
    # Turned about its corner (30, 15): 8 px wide and 3 high becomes 3 px wide to the left and 8 high.
    expected = filled(27, 15, 30, 23, 1, on=filled(0, 0, 10, 6, 1, on=filled(2, 3, 20, 21)))
    assert np.array_equal(mask, expected)
    assert {one for one in unmapped(done) if one[0] is not Reason.OVERLAP} == {
        (Reason.NO_AREA, "project.json", "task 3, result r4"),
        (Reason.NO_CLASS, "project.json", "task 3, result r5"),
        (Reason.BROKEN, "project.json", "task 3, result r6"),
        (Reason.BROKEN, "project.json", "task 3, result r7"),
    }


def test_of_several_annotations_the_last_counts(source: Path, tmp_path: Path) -> None:
    path = label_studio(source)
    (task,) = json.loads(path.read_text())
    known = {"original_width": WIDTH, "original_height": HEIGHT, "type": "rectanglelabels", "id": "r"}
    for x, cancelled in ((0, False), (50, False), (75, True)):
        value = {"x": x, "y": 0, "width": 25, "height": 50, "rectanglelabels": ["floor"]}
        task["annotations"].append({"result": [{**known, "value": value}], "was_cancelled": cancelled})
    del task["annotations"][0]
    path.write_text(json.dumps([task]))
    done, mask = imported(path, tmp_path / "out", kind="masks")
    assert np.array_equal(mask, filled(20, 0, 30, 15))
    assert unmapped(done) == {(Reason.SEVERAL, "project.json", "task 3")}


def test_labelmes_and_yolos_files(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "a.png")
    (source / "a.json").write_text(
        json.dumps({"imagePath": "a.png", "imageWidth": WIDTH, "imageHeight": HEIGHT, "shapes": [
            {"label": "floor", "points": [[2, 3], [20, 3], [20, 21], [2, 21]]},
            {"label": "line", "points": [[30, 10], [30, 14]], "shape_type": "circle"},
            {"label": "line", "points": [[1, 1], [2, 2]], "shape_type": "mask", "mask": "AAAA"},
            {"label": "line", "points": [[1, 1], [2, 2]], "shape_type": "cube"}, 7]})
    )  # fmt: skip
    (source / "b.json").write_text("{")
    (source / "c.json").write_text(json.dumps({"imagePath": "c.png", "shapes": []}))
    done, mask = imported(source, tmp_path / "out")
    assert np.array_equal(mask == 0, filled(2, 3, 20, 21) == 0)
    assert (mask == 1).sum() == pytest.approx(np.pi * 16, abs=4) and mask[10, 33] == 1
    assert unmapped(done) == {
        *((Reason.BROKEN, "a.json", f"shape {number}") for number in (3, 4, 5)),
        (Reason.UNREADABLE, "b.json", ""),
        (Reason.NO_PICTURE, "c.json", ""),
    }

    yolo = pictures(tmp_path / "yolo", "train/images/a.png", "train/images/b.png", "test/images/c.png")
    labels = yolo / "train" / "labels"
    labels.mkdir()
    (labels / "a.txt").write_text(
        "0 0.05 0.1 0.5 0.1 0.5 0.7 0.05 0.7\n\n4 0 0 1 0 1 1\n1 0.1 x 0.2\n1 0 0 1 1 1\n"
    )
    (labels / "gone.txt").write_text("")
    (yolo / "data.yaml").write_text("names: [floor, line]\n")
    done, mask = imported(yolo, tmp_path / "from yolo")
    assert np.array_equal(mask, filled(2, 3, 20, 21)) and done.labels == ("floor", "line")
    assert unmapped(done) == {
        (Reason.NO_CLASS, "a.txt", "line 3"),
        (Reason.BROKEN, "a.txt", "line 4"),
        (Reason.BROKEN, "a.txt", "line 5"),
        (Reason.NO_LABELS, "b.txt", "b.png"),
        (Reason.NO_PICTURE, "gone.txt", ""),
        (Reason.TEST, "test", ""),
    }


def test_if_nothing_is_left_it_says_why(source: Path, tmp_path: Path) -> None:
    cvat(source, image("a.png", square("kerb", 1, 1, 9, 9)))
    with pytest.raises(
        DataError, match=r"no picture that could be taken over; .*annotations.xml: shapes without"
    ):
        import_labels(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
