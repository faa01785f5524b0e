"""An evaluation of signs measures what training kept aside; metrics.json and the report have all of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import perception
from perception.spec import Provenance
from tests.conftest import COLORS, SIGNS, solid
from tests.training.evaluations import measured, model
from training.datasets.images import DataError, files
from training.evaluate import evaluate
from training.signs.data import SignData
from training.split import of_background


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """40 blue and 40 green pictures, and 40 in Red's folder that are all blue but eight."""
    for name in COLORS:
        (tmp_path / "signs" / name).mkdir(parents=True)
        for number in range(40):
            color = "Blue" if name == "Red" and number >= 8 else name
            cv2.imwrite(str(tmp_path / "signs" / name / f"{number:02d}.png"), solid(color, 30 + number, 40))
    return tmp_path / "signs"


def test_what_the_model_tells_about_its_training_decides_what_is_measured(
    signs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(model(tmp_path, val_fraction=0.25, seed=3), signs, out=tmp_path / "out")
    assert measured(tmp_path / "out")["classes"]["Blue"]["crops"] == 10
    assert "does not say how" not in capsys.readouterr().out

    evaluate(model(tmp_path), signs, out=tmp_path / "out")
    assert measured(tmp_path / "out")["classes"]["Blue"]["crops"] == 4
    assert "val_fraction = 0.1, seed = 0" in capsys.readouterr().out

    evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")
    assert measured(tmp_path / "out")["classes"]["Blue"]["crops"] == 40


def test_classes_that_training_left_out_are_left_out(signs: Path, tmp_path: Path) -> None:
    (signs / "Yellow").mkdir()
    cv2.imwrite(str(signs / "Yellow" / "0.png"), solid("Green"))
    evaluate(model(tmp_path, val_fraction=0.5, seed=0, hold_out=["Yellow"]), signs, out=tmp_path / "out")
    assert list(measured(tmp_path / "out")["classes"]) == list(COLORS)
    only = tmp_path / "only"
    for name in ("Blue", "Yellow"):
        shutil.copytree(signs / name, only / name)
    evaluate(model(tmp_path, val_fraction=0.5, seed=0, hold_out=["Yellow"]), only, out=tmp_path / "out")
    assert measured(tmp_path / "out")["accuracy"] == 1.0
    shutil.rmtree(signs / "Yellow")  # nobody needs the pictures that are left out
    evaluate(model(tmp_path, val_fraction=0.5, seed=0, hold_out=["Yellow"]), signs, out=tmp_path / "out")
    assert list(measured(tmp_path / "out")["classes"]) == list(COLORS)


def test_pictures_added_since_the_training_are_noticed(signs: Path, tmp_path: Path) -> None:
    data = SignData(str(signs))
    data.setup()
    spec = replace(SIGNS, provenance=Provenance("signs", kept_aside=data.kept_aside))
    for is_changed in (False, True):
        evaluate(model(tmp_path, spec), signs, out=tmp_path / "out")
        remarks = "\n".join(measured(tmp_path / "out")["remarks"])
        assert ("added, renamed or taken out" in remarks) is is_changed
        cv2.imwrite(str(signs / "Blue" / "40.png"), solid("Blue", 70, 40))


def test_a_folder_of_another_name_hides_nothing(signs: Path, background: Path, tmp_path: Path) -> None:
    data = SignData(str(signs))
    data.setup()
    street = of_background(files(background), data.val_fraction)
    spec = replace(SIGNS, provenance=Provenance("signs", data.kept_aside, street, learnt_val=True))
    moved = signs.rename(tmp_path / "moved")
    evaluate(model(tmp_path, spec), moved, out=tmp_path / "out", background=background)
    remarks = "\n".join(measured(tmp_path / "out")["remarks"])
    assert "pictures of these names; if they are these, it knows them" in remarks
    assert f"If that was {background}, the figures of known" in remarks


def test_other_pictures_in_a_known_layout_are_not_called_learnt(signs: Path, tmp_path: Path) -> None:
    spec = replace(SIGNS, provenance=Provenance("signs", kept_aside="others", learnt_val=True))
    evaluate(model(tmp_path, spec), signs, out=tmp_path / "out")
    (remark, *_) = measured(tmp_path / "out")["remarks"]
    assert "as it was then" in remark and "these very pictures" not in remark


def test_a_folder_whose_name_is_not_utf8_can_be_measured(signs: Path, tmp_path: Path) -> None:
    odd = signs.rename(tmp_path / os.fsdecode(b"f\xf6o"))
    evaluate(model(tmp_path), odd, out=tmp_path / "out")
    assert "f?o" in "\n".join(measured(tmp_path / "out")["remarks"])


def test_one_class_of_the_models_is_enough(signs: Path, tmp_path: Path) -> None:
    (signs / "flips.json").write_text('{"Green": "Green"}')
    for name in ("Green", "Red"):
        shutil.rmtree(signs / name)
    evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")
    assert measured(tmp_path / "out")["accuracy"] == 1.0
    shutil.rmtree(signs / "Blue")
    with pytest.raises(DataError, match="holds no pictures in folders named"):
        evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")


def test_the_worst_and_the_small_classes_are_named(
    signs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(11, 40):
        (signs / "Green" / f"{number}.png").unlink()
    evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")
    figures = measured(tmp_path / "out")
    assert figures["worst_class"] == "Red" and figures["small_classes"] == ["Green"]
    assert figures["worst_class_f1"] == pytest.approx(2 * 8 / (8 + 40))
    assert figures["macro_f1"] == pytest.approx((1 / 3 + 1.0 + 2 * 40 / (40 + 72)) / 3)
    assert figures["classes"]["Red"]["recall"] == pytest.approx(0.2)
    printed = capsys.readouterr().out
    assert "Worst class: Red, F1 0.333 on 40 crops" in printed
    assert "Fewer than 30 crops, so their figures say little: Green" in printed
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Fewer than 30 crops" in page and "Reliability diagram" in page


def test_what_cannot_be_measured_is_named(signs: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(signs / "Blue" / "40.png"), np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(DataError, match=r"Blue/40\.png cannot be read .*1x1 pixels.*take it out"):
        evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")
    (signs / "Blue").rename(signs / "Bleu")
    with pytest.raises(DataError, match="class 'Bleu', which the model does not know"):
        evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")


def test_some_of_the_models_classes_are_enough(signs: Path, tmp_path: Path) -> None:
    # Folders come in alphabetical order, the model's classes in its own; Green is missing.
    for file in (signs / "Green").iterdir():
        file.unlink()
    (signs / "Green").rmdir()
    evaluate(model(tmp_path), signs, out=tmp_path / "out", split="all")
    figures = measured(tmp_path / "out")
    assert list(figures["classes"]) == list(COLORS)
    assert figures["classes"]["Blue"]["recall"] == 1.0
    assert figures["accuracy"] == pytest.approx(48 / 80)
    # Green has no crops, so it has no figure that could be worst, or go into the mean.
    assert figures["worst_class"] == "Red"
    assert figures["macro_f1"] == pytest.approx((1 / 3 + 80 / 112) / 2)


def test_one_picture_a_class_cannot_validate(signs: Path, tmp_path: Path) -> None:
    for file in signs.rglob("*.png"):
        if file.name != "00.png":
            file.unlink()
    with pytest.raises(DataError, match="use --split all"):
        evaluate(model(tmp_path), signs, out=tmp_path / "out")


def test_what_the_model_has_learnt_from_is_said(signs: Path, tmp_path: Path) -> None:
    for name, split, said in (
        ("signs", "all", "most of these pictures"),
        ("signs", "val", ""),
        ("others", "all", ""),
    ):
        spec = replace(SIGNS, provenance=Provenance(name))
        evaluate(model(tmp_path, spec), signs, out=tmp_path / "out", split=split)
        remarks = "\n".join(measured(tmp_path / "out")["remarks"])
        assert ("learnt from" in remarks) is bool(said) and said in remarks
        assert said in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_cross_entropy_is_that_of_the_right_classes_scores(signs: Path, tmp_path: Path) -> None:
    path = model(tmp_path)
    evaluate(path, signs, out=tmp_path / "out", split="all")
    classify = perception.load(path)
    files = sorted(signs.rglob("*.png"))
    own = [classify(cv2.imread(str(file))).scores[list(COLORS).index(file.parent.name)] for file in files]
    assert measured(tmp_path / "out")["cross_entropy"] == pytest.approx(-np.log(own).mean(), rel=1e-4)


def test_background_tells_how_unknown_things_are_refused(
    signs: Path, background: Path, tmp_path: Path
) -> None:
    spec = model(tmp_path, val_fraction=0.5, seed=0)
    evaluate(spec, signs, out=tmp_path / "out", background=background)
    figures = measured(tmp_path / "out")
    assert figures["known_auroc"] == 1.0  # the colours of streets are duller than those of the signs
    assert figures["false_alarms_at_95"] == figures["false_alarms_at_99"] == 0.0
    assert "ROC" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_speed_limits_read_as_others_are_counted(tmp_path: Path) -> None:
    labels = ("Speed limit 30", "Stop", "Speed limit 80")
    for label, color in zip(labels, ("Blue", "Green", "Blue")):  # all of 80 look like 30
        (tmp_path / "signs" / label).mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(str(tmp_path / "signs" / label / f"{number}.png"), solid(color, 30 + number, 40))
    path = model(tmp_path, replace(SIGNS, labels=labels))
    evaluate(path, tmp_path / "signs", out=tmp_path / "out", split="all")
    numbers = measured(tmp_path / "out")["numbers"]
    wanted = {"crops": 8, "mistaken": 4, "pairs": {"Speed limit 80 as Speed limit 30": 4}}
    assert numbers == {"clean": wanted}
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Signs that differ in a number alone" in page and "Speed limit 80 as Speed limit 30 (4)" in page
