"""An evaluation of masks measures what training kept aside; metrics.json and the report have all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.spec import Provenance
from tests.conftest import COLORS, SEGMENTATION, solid
from tests.training.evaluations import measured, model
from training.datasets.images import DataError
from training.evaluate import evaluate
from training.segmentation import data as segmentation
from training.split import of_pictures


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """Two validation pictures, left half blue, right half green, with masks that agree but for one column."""
    root = tmp_path / "road"
    for split in ("train", "val"):
        for part in ("images", "masks"):
            (root / split / part).mkdir(parents=True)
        for number in range(2):
            frame = np.hstack([solid("Blue", 24, 16), solid("Green", 24, 16)])
            ids = np.zeros((24, 32), np.uint8)
            ids[:, 15:] = 1
            cv2.imwrite(str(root / split / "images" / f"{number}.png"), frame)
            cv2.imwrite(str(root / split / "masks" / f"{number}.png"), ids)
    classes = [{"name": name, "color": [0, 0, 255]} for name in COLORS]
    (root / "classes.json").write_text(json.dumps(classes))
    return root


def test_pictures_that_changed_sides_since_the_training_are_noticed(road: Path, tmp_path: Path) -> None:
    kept_aside = of_pictures(segmentation.read(road).val)
    spec = replace(SEGMENTATION, provenance=Provenance("road", kept_aside=kept_aside))
    for is_changed in (False, True):
        evaluate(model(tmp_path, spec), road, out=tmp_path / "out")
        remarks = "\n".join(measured(tmp_path / "out")["remarks"])
        assert ("added, renamed or taken out" in remarks) is is_changed
        for part in ("images", "masks"):
            (road / "train" / part / "1.png").rename(road / "val" / part / "2.png")
        (road / "train" / "images" / "1.png").write_bytes((road / "val" / "images" / "0.png").read_bytes())
        (road / "train" / "masks" / "1.png").write_bytes((road / "val" / "masks" / "0.png").read_bytes())


def test_masks_are_measured_by_overlap_outlines_and_calibration(road: Path, tmp_path: Path) -> None:
    evaluate(model(tmp_path, SEGMENTATION), road, out=tmp_path / "out")
    figures = measured(tmp_path / "out")
    assert figures["global_accuracy"] == pytest.approx(31 / 32)
    assert figures["class_average"] == pytest.approx((1 + 16 / 17) / 2)
    assert figures["miou"] == pytest.approx((15 / 16 + 16 / 17) / 2)
    assert figures["boundary_f1"] == 0.0  # one column off is more than 0.75 % of a diagonal of 40 px
    assert figures["calibration_error"] == pytest.approx(1 / 32, abs=0.03)
    assert figures["classes"]["Red"] == {"recall": None, "iou": None, "boundary_f1": None}
    assert len(figures["reliability"]) == 15
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Blue → Green: 0" not in page and "Green → Blue: 5.9 " in page  # percent of the true class
    assert page.count("<figcaption>1.png: model") == 2  # among the worst and the best


def test_the_worst_pictures_are_labelled_and_not_neighbours_in_one_video(road: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        for number in range(2, 40):
            content = (road / "val" / part / "0.png").read_bytes()
            (road / "val" / part / f"{number:02d}.png").write_bytes(content)
    for number in (20, 21, 22, 23):
        cv2.imwrite(str(road / "val" / "masks" / f"{number}.png"), np.full((24, 32), 2, np.uint8))
    cv2.imwrite(str(road / "val" / "masks" / "0.png"), np.full((24, 32), 255, np.uint8))
    evaluate(model(tmp_path, SEGMENTATION), road, out=tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "mIoU nan" not in page
    assert [f"{number}.png: model, mIoU 0.00" in page for number in (20, 21, 22, 23)].count(True) == 1


def test_a_mask_of_another_size_than_its_picture_is_named(road: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(road / "val" / "masks" / "0.png"), np.zeros((24, 30), np.uint8))
    with pytest.raises(DataError, match=r"masks/0\.png has 30×24 px, its picture 32×24"):
        evaluate(model(tmp_path, SEGMENTATION), road, out=tmp_path / "out")


def test_what_is_for_signs_is_refused_for_masks(road: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--background"):
        evaluate(model(tmp_path, SEGMENTATION), road, out=tmp_path / "out", background=road)
