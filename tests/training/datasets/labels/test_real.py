"""Files that the tools' own libraries wrote (see make_real.py) become the scene that they were made of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.datasets.labels import scene
from tests.training.datasets.labels.sources import cvat, image, imported, masks, pictures
from training.check import check, understood
from training.datasets.labels import Reason, import_labels, rle
from training.datasets.pictures import read_bgr

REAL = Path(__file__).resolve().parent / "real"
ALL = ("polygon", "mask", "box")


@pytest.mark.parametrize(
    ("folder", "form", "kinds"),
    [
        ("datumaro_cvat", "CVAT for images", ALL),
        ("datumaro_coco_instances", "COCO", ALL),
        ("datumaro_voc_segmentation", "label images", ALL),
        ("labelme", "LabelMe", ALL),
        ("label_studio", "Label Studio", ALL),
        ("roboflow_coco", "COCO", ("polygon",)),
        ("roboflow_yolo", "YOLO", ("polygon",)),
    ],
)
def test_labels_of_real_tools(folder: str, form: str, kinds: tuple[str, ...], tmp_path: Path) -> None:
    beside = {"pictures": REAL / "labelme"} if folder == "label_studio" else {}
    done = import_labels(REAL / folder, tmp_path / "out", **beside)
    assert (done.form, done.kind, done.labels, done.pictures) == (form, "masks", scene.LABELS, 2)
    expected = scene.mask(kinds=kinds)
    found = masks(tmp_path / "out")
    assert list(found) == ["masks/drive_1.png", "masks/drive_2.png"]
    for name, mask in found.items():
        assert np.array_equal(mask, expected)
        picture = read_bgr(tmp_path / "out" / "images" / Path(name).name)
        assert np.array_equal(picture[..., ::-1], scene.picture(Path(name).stem))
    assert done.uncounted == pytest.approx((expected == 255).mean())
    assert not [problem for problem in check(tmp_path / "out") if problem.severity == "error"]
    assert understood(tmp_path / "out") == "masks: 3 classes (floor, line, sign), 1 + 1 pictures"
    # Label images cannot show what lay below, and only LabelMe's scene has a line.
    reasons = set() if form == "label images" else {Reason.OVERLAP}
    assert {one.reason for one in done.unmapped} == reasons | (
        {Reason.NO_AREA} if form == "LabelMe" else set()
    )


def test_run_lengths_of_coco_itself() -> None:
    written = json.loads((REAL / "pycocotools" / "mask.json").read_text())
    runs = rle.coco_counts(written["counts"])
    assert np.array_equal(rle.decode(runs, tuple(written["size"]), by_columns=True), scene.ring_mask())
    assert rle.encode(scene.ring_mask(), by_columns=True) == runs


def test_run_lengths_of_cvats_client(tmp_path: Path) -> None:
    own = json.loads((REAL / "cvat_sdk" / "mask.json").read_text())
    where = " ".join(f'{key}="{own[key]}"' for key in ("left", "top", "width", "height"))
    mask = f'<mask label="line" rle="{", ".join(map(str, own["rle"]))}" {where}/>'
    height, width = scene.SIZE_HW
    source = pictures(tmp_path / "in", "a.png")
    shutil.copy(REAL / "labelme" / "drive_1.png", source / "a.png")
    cvat(source, image("a.png", mask, size=(width, height)))
    _, found = imported(source, tmp_path / "out")
    assert np.array_equal(found == 1, scene.ring_mask())
