"""Label images in colours or ids of other tools become the project's own, by a table."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.datasets.labels.sources import (
    EXPECTED,
    HEIGHT,
    WIDTH,
    imported,
    masks,
    pictures,
    unmapped,
)
from training.datasets.images import DataError
from training.datasets.labels import Reason, import_labels

COLORS = {"floor": (0, 160, 0), "line": (255, 255, 255)}
TABLES = {
    "labelmap.txt": "# label:color_rgb::\nbackground:0,0,0::\nfloor:0,160,0::\nline:255,255,255::\n",
    "label_colors.txt": "0 0 0 background\n0 160 0 floor\n255 255 255 line\n",
    "class_dict.csv": "name,r,g,b\nbackground,0,0,0\nfloor,0,160,0\nline,255,255,255\n",
    "classes.json": json.dumps([{"name": name, "color": color} for name, color in COLORS.items()]),
}


def colored(path: Path) -> None:
    painted = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, color in enumerate(COLORS.values()):
        painted[number == EXPECTED] = color[::-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), painted)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "folders", [("JPEGImages", "SegmentationClass"), ("images", "masks"), ("default", "defaultannot")]
)
def test_label_images_in_colours(folders: tuple[str, str], table: str, tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", f"{folders[0]}/a.jpg", f"{folders[0]}/b.jpg")
    colored(source / folders[1] / "a.png")
    colored(source / folders[1] / "gone.png")
    (source / table).write_text(TABLES[table])
    done, mask = imported(source, tmp_path / "out")
    assert np.array_equal(mask, EXPECTED)
    described = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert [(one["name"], tuple(one["color"])) for one in described] == list(COLORS.items())
    expected = {(Reason.NO_PICTURE, "gone.png", "")}
    if table == "classes.json":  # which lists no background
        expected.add((Reason.NO_CLASS, "a.png", "colour 0,0,0"))
    assert unmapped(done) == expected


def test_roboflows_label_images(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "train/a.jpg", "valid/b.jpg", "test/c.jpg")
    ids = np.where(EXPECTED == 255, 0, EXPECTED + 1).astype(np.uint8)
    for part, name in (("train", "a"), ("valid", "b"), ("test", "c")):
        cv2.imwrite(str(source / part / f"{name}_mask.png"), ids)
        (source / part / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, floor\n2, line\n")
    done = import_labels(source, tmp_path / "out")
    found = masks(tmp_path / "out")
    assert set(found) == {"train/masks/a.png", "val/masks/b.png"}
    assert all(np.array_equal(mask, EXPECTED) for mask in found.values())
    assert done.labels == ("floor", "line") and unmapped(done) == {(Reason.TEST, "test", "")}
    described = json.loads((tmp_path / "out" / "classes.json").read_text())
    assert all(max(one["color"]) > 100 for one in described)  # the ids would be all but black


def test_lists_of_pascal_voc_are_its_parts(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "JPEGImages/a.jpg", "JPEGImages/b.jpg")
    (source / "labelmap.txt").write_text(TABLES["labelmap.txt"])
    lists = source / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for name, part in (("a", "train"), ("b", "val")):
        colored(source / "SegmentationClass" / f"{name}.png")
        (lists / f"{part}.txt").write_text(f"{name}\n")
    import_labels(source, tmp_path / "out")
    assert set(masks(tmp_path / "out")) == {"train/masks/a.png", "val/masks/b.png"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("floor:0,160,0::\nline:0,160,0::\n", "floor and line have the same colour"),
        ("floor:0,160,0::\nline:0,300,0::\n", "line 2: the colour"),
        ("floor:0,160,0::\nno table\n", "line 2: 2 columns"),
        ("# nothing\n", "lists no class"),
    ],
)
def test_tables_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "images/a.jpg")
    colored(source / "masks" / "a.png")
    with pytest.raises(DataError, match=r"name a table with --colors"):
        import_labels(source, tmp_path / "out")
    (tmp_path / "table.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        import_labels(source, tmp_path / "out", colors=tmp_path / "table.txt")
    (tmp_path / "table.txt").write_text(TABLES["labelmap.txt"])
    assert np.array_equal(imported(source, tmp_path / "out", colors=tmp_path / "table.txt")[1], EXPECTED)
