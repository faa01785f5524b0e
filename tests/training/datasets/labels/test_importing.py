"""Which form a source has, which classes and parts the data set gets, and what happens when it fails."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.training.datasets.labels.sources import (
    EXPECTED,
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
    square,
    unmapped,
)
from tests.training.detection import streets
from training.__main__ import main
from training.check import check, understood
from training.datasets import boxes
from training.datasets.images import DataError
from training.datasets.labels import Reason, collect, import_labels
from training.segmentation import data as segmentation


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = pictures(tmp_path / "in", "a.png")
    cvat(folder, image("a.png", square("floor", 2, 3, 20, 21), square("line", 5, 5, 9, 9)))
    return folder


def test_a_zip_file_and_a_single_file_are_read_as_their_folder(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as packed:
        for path in source.iterdir():
            packed.write(path, f"task/{path.name}")
    assert np.array_equal(imported(tmp_path / "task.zip", tmp_path / "one")[1], EXPECTED)
    assert np.array_equal(imported(source / "annotations.xml", source / "two")[1], EXPECTED)
    assert np.array_equal(
        imported(source, tmp_path / "again")[1], EXPECTED
    )  # with two/images/a.png beside it
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"broken\.zip cannot be unpacked"):
        import_labels(tmp_path / "broken.zip", tmp_path / "three")


def test_pictures_may_be_elsewhere(source: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (source / "a.png").rename(tmp_path / "pictures" / "a.png")
    with pytest.raises(DataError, match="labels without their picture"):
        import_labels(source, tmp_path / "out")
    _, mask = imported(source, tmp_path / "out", pictures=tmp_path / "pictures")
    assert np.array_equal(mask, EXPECTED)
    own = pictures(source, "a.png", seed=1)  # the one beside the labels counts
    import_labels(source, tmp_path / "both", pictures=tmp_path / "pictures")
    assert (tmp_path / "both" / "images" / "a.png").read_bytes() == (own / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/0a1b2c3d-a.png", "a.png"),
        ("/data/upload/1/0a1b2c3d-a.png", "0a1b2c3d-a.png"),  # downloaded from Label Studio
        ("/data/local-files/?d=drive/frame%20a.png", "frame a.png"),
        ("https://tracks.example/day/a.png?token=1", "a.png"),
        ("s3://bucket/day/a.png", "a.png"),
    ],
)
def test_addresses_of_label_studio_name_pictures(address: str, name: str, tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", name)
    value = {"points": [[5, 10], [50, 10], [50, 70], [5, 70]], "polygonlabels": ["floor"]}
    label_studio(source, {"type": "polygonlabels", "value": value}, image=address)
    _, mask = imported(source, tmp_path / "out")
    assert np.array_equal(mask, filled(2, 3, 20, 21))
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == [name]


def test_classes_are_those_of_a_model_or_data_set(source: Path, tmp_path: Path) -> None:
    entries = [{"name": name, "color": [n, n, n]} for n, name in enumerate(("Line", "kerb", "floor"))]
    (tmp_path / "classes.json").write_text(json.dumps(entries))
    done, mask = imported(source, tmp_path / "out", classes=tmp_path / "classes.json")
    assert done.labels == ("Line", "kerb", "floor")
    assert (mask[3, 2], mask[6, 6], mask[0, 0]) == (2, 0, 255)
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == entries
    model = Path(__file__).parents[4] / "models" / "segnet.onnx"
    with pytest.raises(DataError, match="no picture that could be taken over"):
        import_labels(source, tmp_path / "other", classes=model)  # which has neither floor nor line
    with pytest.raises(DataError, match="lists no classes"):
        import_labels(source, tmp_path / "other", classes=source / "annotations.xml")


def test_the_rest_may_be_a_class(source: Path, tmp_path: Path) -> None:
    done, mask = imported(source, tmp_path / "new", rest="elsewhere")
    assert done.labels == ("floor", "line", "elsewhere") and done.uncounted == 0
    assert np.array_equal(mask, np.where(EXPECTED == 255, 2, EXPECTED))
    done, mask = imported(source, tmp_path / "known", rest="line")
    assert done.labels == ("floor", "line") and mask[0, 0] == 1
    with pytest.raises(DataError, match=r"--rest is 'sky'; .*the classes floor, line"):
        import_labels(source, tmp_path / "out", rest="sky", classes=tmp_path / "new" / ".." / "known")


def test_parts_stay_and_nobody_learns_from_the_test_part(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "images/Train/a.png", "images/Validation/b.png", "images/Test/c.png")
    shapes = (square("floor", 0, 0, 20, 30), square("line", 20, 0, 40, 30))
    cvat(source, *(
        image(f"{part}/{name}.png", *shapes, number=n, more=f'subset="{part}"')
        for n, (part, name) in enumerate((("Train", "a"), ("Validation", "b"), ("Test", "c")))
    ))  # fmt: skip
    done = import_labels(source, tmp_path / "out")
    assert set(masks(tmp_path / "out")) == {"train/masks/a.png", "val/masks/b.png"}
    assert unmapped(done) == {(Reason.TEST, "annotations.xml", "image 2 (Test/c.png)")}
    dataset = segmentation.read(tmp_path / "out")
    assert (len(dataset.train), len(dataset.val)) == (1, 1)
    assert not [problem for problem in check(tmp_path / "out") if problem.severity == "error"]


@pytest.mark.parametrize(
    "form", ["CVAT for images", "Label Studio", "LabelMe", "YOLO, boxes", "COCO, boxes", "Pascal VOC, boxes"]
)
def test_boxes_become_a_data_set_of_boxes(form: str, tmp_path: Path) -> None:
    source = tmp_path / "in"
    name = form.removesuffix(", boxes")
    make = {"YOLO": streets.yolo, "COCO": streets.coco, "Pascal VOC": streets.voc}
    if name in make:
        make[name](source)
        before = boxes.read(source)
    else:
        pictures(source, "a.png", "b.png", seed=3)
        if name == "CVAT for images":
            box = '<box label="stop" xtl="4" ytl="6" xbr="20" ybr="22"/>'
            cvat(source, image("a.png", box), image("b.png", number=1), labels=["stop"])
        elif name == "Label Studio":
            value = {"x": 10, "y": 20, "width": 40, "height": 160 / 3, "rectanglelabels": ["stop"]}
            label_studio(source, {"type": "rectanglelabels", "value": value})
        else:
            shape = {"label": "stop", "points": [[20, 6], [4, 22]], "shape_type": "rectangle"}
            for one, shapes in (("a", [shape]), ("b", [])):
                (source / f"{one}.json").write_text(json.dumps({"imagePath": f"{one}.png", "shapes": shapes}))
    done = import_labels(source, tmp_path / "out")
    assert (done.form, done.kind) == (form, "boxes")
    assert understood(tmp_path / "out").startswith("boxes: YOLO")
    after = boxes.read(tmp_path / "out")
    if name in make:
        size = (streets.HEIGHT, streets.WIDTH)
        assert after.labels == before.labels
        wanted = sorted(
            (i.part, i.path.name, i.pixels(size).round(2).tolist(), i.class_ids) for i in before.images
        )
        assert wanted == sorted(
            (i.part, i.path.name, i.pixels(size).round(2).tolist(), i.class_ids) for i in after.images
        )
        assert check(tmp_path / "out") == []
    else:
        assert after.labels == ("stop",)
        first = next(one for one in after.images if one.path.name == "a.png")
        assert first.pixels((HEIGHT, WIDTH)).tolist() == [pytest.approx([4, 6, 20, 22])]
        if name != "Label Studio":  # one task, one picture
            assert [one.boxes for one in after.images if one.path.name == "b.png"] == [()]
            assert {one.reason for one in done.unmapped} == {Reason.NO_SIGNS}


def test_boxes_without_their_picture_are_listed(tmp_path: Path) -> None:
    source = streets.coco(tmp_path / "in")
    (source / "train" / "00002.png").unlink()
    done = import_labels(source, tmp_path / "out")
    assert unmapped(done) == {(Reason.NO_PICTURE, "00002.png", "")} and done.pictures == 9


def test_boxes_may_be_filled_and_shapes_boxed(source: Path, tmp_path: Path) -> None:
    done = import_labels(source, tmp_path / "boxes", kind="boxes")
    (found,) = boxes.read(tmp_path / "boxes").images
    assert found.pixels((HEIGHT, WIDTH)).round(3).tolist() == [[2, 3, 20, 21], [5, 5, 9, 9]]
    assert done.boxes == 2
    box = '<box label="floor" xtl="4" ytl="6" xbr="20" ybr="22"/>'
    cvat(source, image("a.png", box))
    _, mask = imported(source, tmp_path / "masks", kind="masks")
    assert np.array_equal(mask, filled(4, 6, 20, 22))
    with pytest.raises(DataError, match="leave out --rest"):
        import_labels(source, tmp_path / "out", rest="floor")


def test_boxes_that_cannot_be_used_are_listed(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "a.png")
    corners = [(4, 6, 20, 22), (30, 20, 50, 28), (50, 1, 60, 9), (9, 9, 9, 9)]
    shapes = ['<box label="{}" xtl="{}" ytl="{}" xbr="{}" ybr="{}"/>'.format("stop", *one) for one in corners]
    cvat(source, image("a.png", *shapes, shapes[0].replace("stop", "go")), labels=["stop"])
    done = import_labels(source, tmp_path / "out")
    (found,) = boxes.read(tmp_path / "out").images
    assert found.pixels((HEIGHT, WIDTH)).round(3).tolist() == [[4, 6, 20, 22], [30, 20, 40, 28]]
    assert [(one.reason, one.place) for one in done.unmapped] == [
        (Reason.PARTLY, "image 0 (a.png), box 2"),
        (Reason.OUTSIDE, "image 0 (a.png), box 3"),
        (Reason.EMPTY, "image 0 (a.png), box 4"),
        (Reason.NO_CLASS, "image 0 (a.png), box 5"),
    ]


def test_own_layouts_need_no_import(source: Path, tmp_path: Path) -> None:
    import_labels(source, tmp_path / "own")
    with pytest.raises(DataError, match="has the project's own layout already"):
        import_labels(tmp_path / "own", tmp_path / "out")


def test_forms_that_are_not_read_are_named(source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"none of the forms that are read \(CVAT for images, Label Studio"):
        import_labels(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(DataError, match=r"there is no .*nowhere"):
        import_labels(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(DataError, match="holds something already"):
        import_labels(source, source)
    (source / "annotations.xml").write_text("<annotations><track/></annotations>")
    with pytest.raises(DataError, match=r"is of a video.*CVAT for images 1\.1"):
        import_labels(source, tmp_path / "out")
    (source / "annotations.xml").write_text("<annotations>")
    with pytest.raises(DataError, match=r"annotations\.xml: no element found"):
        import_labels(source, tmp_path / "out")
    (source / "annotations.xml").unlink()
    (source / "min.json").write_text('[{"annotation_id": 1, "image": "a.png"}]')
    with pytest.raises(DataError, match="JSON-MIN; export it as JSON"):
        import_labels(source, tmp_path / "out")
    (source / "min.json").write_text('{"images": [], "annotations": [{"segmentation": [[1]]}]}')
    with pytest.raises(DataError, match=r"min\.json lacks 'categories'"):
        import_labels(source, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in"]


def test_what_is_stopped_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        assert (tmp_path / "out.part" / "train" / "masks" / "a.png").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(collect.own, "picture", stopped)
    with pytest.raises(KeyboardInterrupt):
        import_labels(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_command_lists_counts_and_says_what_comes_next(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = [square("kerb", n, 0, n + 1, 5) for n in range(12)]
    cvat(source, image("a.png", square("floor", 0, 0, 10, 30), *shapes))
    assert main(["labels", "import", str(source), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "shapes without a known class (12): left out"
    assert said[1] == "  annotations.xml: image 0 (a.png), polygon 2: 'kerb' is none of the classes"
    assert said[11] == "  and 2 more; --all lists them" and said[12].endswith("masks of floor, line")
    assert said[13].startswith("75% of the pixels are of no class")
    assert said[14] == f"go on: python -m training check {tmp_path / 'out'}"
    assert main(["labels", "import", str(source), str(tmp_path / "all"), "--all", "--rest", "line"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 15 and not any("more" in line or "75%" in line for line in said)

    assert main(["labels", "export", str(tmp_path / "all"), str(tmp_path / "task"), "--to", "cvat"]) == 0
    assert "1 picture, 2 shapes, 8 corners" in capsys.readouterr().out
    assert main(["labels", "import", str(source), str(tmp_path / "out")]) == 1
    assert "out holds something already" in capsys.readouterr().err
    assert main(["labels"]) == 0 and "import" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["labels", "export", str(source), str(tmp_path / "x"), "--to", "via"])


def test_a_category_that_only_stands_for_others_is_none(tmp_path: Path) -> None:
    source = pictures(tmp_path / "in", "a.png")
    path = coco(source, [{"category_id": 5, "segmentation": [[0, 0, 9, 0, 9, 9, 0, 9]]}])
    content = json.loads(path.read_text())
    content["categories"] = [
        {"id": 0, "name": "track", "supercategory": "none"},
        {"id": 5, "name": "line", "supercategory": "track"},
        {"id": 6, "name": "floor", "supercategory": "track"},
    ]
    path.write_text(json.dumps(content))
    shutil.move(path, source / "_annotations.coco.json")
    assert import_labels(source, tmp_path / "out").labels == ("line", "floor")
