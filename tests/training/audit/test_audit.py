"""Planted errors come first, by the command line; what was found goes into training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception import SignClassifier
from perception.spec import Provenance
from tests.conftest import COLORS, SEGMENTATION, SIGNS, solid, write_model
from tests.training.audit.audits import audited, noisy
from tests.training.interrupts import interrupt
from training.__main__ import main
from training.audit.auditing import hindsight, warning
from training.signs.audit import SignAudit
from training.signs.data import SignData


def listed(root: Path) -> list[str]:
    lines = (root.parent / "audit" / "exclude.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("options", [(), ("--folds", "3")])
def test_wrong_signs_come_first_and_are_not_learnt(
    signs: Path, signs_model: Path, options: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = audited(signs, signs_model, *options)
    wrong = {"Green/wrong 3.png", "Green/wrong 4.png"}
    worst = found["labels"][:2]
    assert {one["file"] for one in worst} == wrong
    assert all(one["likely"] and "labelled Green, looks like Blue" in one["says"] for one in worst)
    assert len(found["labels"]) == found["seen"] == found["pictures"] == 122
    assert wrong <= set(listed(signs))
    assert found["judged_by"].startswith("3 folds" if options else "the model")
    assert "likely: wrong class" in capsys.readouterr().out
    page = (signs.parent / "audit" / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") >= 24 and page.index("Green/wrong 3.png") < page.index("Like no other")
    data = SignData(str(signs), size=16, exclude=str(signs.parent / "audit" / "exclude.txt"))
    data.setup()
    assert data.val is not None
    assert len(data.train) + len(data.val) == 122 - len(listed(signs))


def test_shifted_and_half_painted_masks_come_first(masks: Path, segmentation_model: Path) -> None:
    found = audited(masks, segmentation_model)
    contradicted = [one for one in found["labels"] if "contradicts" in one["kind"]]
    assert {one["file"] for one in contradicted[:2]} == {"train/images/5.png", "train/images/7.png"}
    assert [one["likely"] for one in contradicted[:3]] == [True, True, False]
    assert "Red, rather" in next(one["says"] for one in contradicted if one["file"] == "train/images/7.png")
    (empty,) = (one for one in found["labels"] if "little" in one["kind"])
    assert empty["file"] == "val/images/2.png" and "75% of the pixels have no class" in empty["says"]
    assert set(listed(masks)) >= {"train/images/5.png", "train/images/7.png", "val/images/2.png"}


def test_missing_askew_and_swapped_boxes_come_first(tmp_path: Path, detector_model: Path) -> None:
    root = tmp_path / "street"
    root.mkdir()
    lines = []
    for number in range(12):
        frame = np.full((64, 96, 3), 128, np.uint8)
        frame[16:40, 8:32] = solid("Red", 24, 24)
        frame[8:24, 64:80] = solid("Blue", 16, 16)
        cv2.imwrite(str(root / f"{number:05d}.png"), frame)
        red = (8, 16, 32, 40) if number != 3 else (18, 26, 42, 50)
        lines.append(";".join(map(str, (f"{number:05d}.png", *red, 0))))
        if number != 5:
            lines.append(";".join(map(str, (f"{number:05d}.png", 64, 8, 80, 24, 0))))
    (root / "gt.txt").write_text("\n".join(lines) + "\n")
    found = audited(root, detector_model)
    worst = {(one["file"], one["kind"]) for one in found["labels"] if one["likely"]}
    assert worst == {("00003.png", "box that is askew"), ("00005.png", "sign without a box")}
    (missing,) = (one for one in found["labels"] if one["kind"] == "sign without a box")
    assert missing["box"] == pytest.approx([64, 8, 80, 24], abs=1.5)


def test_a_reader_says_which_boxes_are_of_another_class(
    boxes: Path, detector_model: Path, signs_model: Path
) -> None:
    found = audited(boxes, detector_model, "--reader", str(signs_model))
    swapped = [one for one in found["labels"] if one["kind"] == "box of another class" and one["likely"]]
    assert [one["file"] for one in swapped] == ["train/images/1.png"]


def test_pictures_on_both_sides_and_twice(signs: Path, signs_model: Path, tmp_path: Path) -> None:
    root = tmp_path / "split"
    for part, colors in (("train", COLORS), ("val", COLORS)):
        for color in colors:
            (root / part / color).mkdir(parents=True)
            for number in range(0 if part == "train" else 20, 20 if part == "train" else 40):
                source = signs / color / f"{number}.png"
                (root / part / color / f"{color}{number}.png").write_bytes(source.read_bytes())
    copied, nearly = signs / "Red" / "0.png", signs / "Blue" / "1.png"
    (root / "val" / "Red" / "copy.png").write_bytes(copied.read_bytes())
    (root / "train" / "Green" / "again.png").write_bytes((signs / "Green" / "2.png").read_bytes())
    darker = (cv2.imread(str(nearly)) * 0.97).astype(np.uint8)
    cv2.imwrite(str(root / "val" / "Blue" / "darker.png"), darker)
    for part in ("train", "val"):
        cv2.imwrite(
            str(root / part / "Red" / f"00009_0000{len(part)}.png"),
            noisy("Red", np.random.default_rng(len(part))),
        )
    found = audited(root, signs_model)
    leaks = {(one["file"], one["as"]) for one in found["pairs"] if one["leak"]}
    assert ("train/Red/Red0.png", "val/Red/copy.png") in leaks
    assert ("train/Blue/Blue1.png", "val/Blue/darker.png") in leaks
    same = [one for one in found["pairs"] if not one["leak"] and one["apart"] == 0]
    assert {same[0]["file"], same[0]["as"]} == {"train/Green/again.png", "train/Green/Green2.png"}
    assert {"train/Red/Red0.png", "train/Blue/Blue1.png", same[0]["file"]} <= set(listed(root))
    assert found["drives"] == [{"drive": "Red/00009", "train": 1, "val": 1}]


def test_a_picture_like_no_other_and_a_small_class(signs: Path, signs_model: Path) -> None:
    for number in range(38):
        (signs / "Red" / f"{number}.png").unlink()
    checked = np.kron(np.indices((4, 6)).sum(axis=0) % 2, np.ones((10, 10)))[..., np.newaxis] * 255
    cv2.imwrite(str(signs / "Blue" / "strange.png"), np.repeat(checked, 3, axis=2).astype(np.uint8))
    found = audited(signs, signs_model)
    assert found["outliers"][0]["file"] == "Blue/strange.png"
    assert list(found["classes"])[-1] == "Red" and sum(found["classes"]["Red"].values()) == 2
    page = (signs.parent / "audit" / "report.html").read_text(encoding="utf-8")
    assert "<td>classes far smaller than the largest</td><td>Red</td>" in page


def test_ctrl_c_leaves_what_was_seen(
    signs: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = interrupt(monkeypatch, SignAudit, "answer", 3)
    found = audited(signs, signs_model)
    count = sum(len(frames) for *_, frames in calls[:2])
    assert (found["seen"], found["complete"]) == (count, False)
    assert len(found["unseen"]) == 122 - found["seen"]
    assert set(found["classes"]) == set(COLORS)  # the beginning is spread over all
    assert f"interrupted: what follows is of the {count} pictures" in capsys.readouterr().out


def test_its_reader_is_closed(
    boxes: Path, detector_model: Path, signs_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, close = [], SignClassifier.close

    def closing(self: SignClassifier) -> None:
        closed.append(self.spec.labels)
        close(self)

    monkeypatch.setattr(SignClassifier, "close", closing)
    audited(boxes, detector_model, "--reader", str(signs_model))
    assert closed == [COLORS]


def test_a_limit_takes_one_frame_of_each_sign_first(gtsrb: Path, signs_model: Path) -> None:
    found = audited(gtsrb, signs_model, "--limit", "15")
    assert (found["seen"], len(found["unseen"])) == (15, 45)
    assert [sum(counts.values()) for counts in found["classes"].values()] == [5, 5, 5]


def test_other_classes_are_judged_by_folds_or_not_at_all(masks: Path, gtsrb: Path, signs_model: Path) -> None:
    found = audited(gtsrb, signs_model)
    assert found["judged_by"].startswith("5 folds") and len(found["labels"]) == 60
    other = replace(SEGMENTATION, labels=("A", "B", "C"))
    found = audited(masks, write_model(masks / "other.onnx", other))
    assert found["judged_by"] == "" and not [one for one in found["labels"] if "contra" in one["kind"]]
    assert "other classes" in found["remarks"][0]


@pytest.mark.parametrize(
    ("provenance", "learnt"),
    [
        (Provenance(), ""),
        (Provenance(data_set="others", kept_aside="1"), ""),
        (Provenance(data_set="mine", kept_aside="2"), "train"),
        (Provenance(data_set="copied", kept_aside="2"), "train"),
        (Provenance(data_set="mine", kept_aside="2", learnt_val=True), "all"),
        (Provenance(data_set="mine", kept_aside="1"), "all"),
    ],
)
def test_a_model_that_has_learnt_these_labels_says_so(provenance: Provenance, learnt: str) -> None:
    assert hindsight(replace(SIGNS, provenance=provenance), "mine", "2") == learnt
    said = warning(learnt, "More.")  # type: ignore[arg-type]
    assert ("learnt by heart" in said) == bool(learnt)


def test_its_warning_is_on_the_terminal_and_folds_judge(
    signs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(SIGNS, provenance=Provenance(data_set="signs", learnt_val=True))
    found = audited(signs, write_model(signs.parent / "own.onnx", spec))
    assert "The model has learnt from these very labels" in capsys.readouterr().out
    assert found["judged_by"].startswith("5 folds") and "learnt by heart" in found["remarks"][0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--limit", "0"), "--limit is 0; it must be 1 or more"),
        (("--folds", "1"), "--folds is 1; it must be 0, "),
        (("--reader", "x.onnx"), "whose audit has no --reader; leave it out"),
    ],
)
def test_what_does_not_suit_is_said(
    signs: Path, signs_model: Path, options: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(signs), "--model", str(signs_model), *options]) == 1
    assert said in capsys.readouterr().err


def test_a_model_of_another_task_is_refused(
    signs: Path, segmentation_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(signs), "--model", str(segmentation_model)]) == 1
    assert "give a --model of that task" in capsys.readouterr().err
    assert main(["audit", str(tmp_path / "none")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_folds_need_to_be_there_for_unknown_classes(gtsrb: Path, signs_model: Path) -> None:
    assert main(["audit", str(gtsrb), "--model", str(signs_model), "--folds", "0"]) == 1


def test_a_mask_of_another_size_is_named(
    masks: Path, segmentation_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(masks / "train" / "masks" / "3.png"), np.zeros((12, 16), np.uint8))
    assert main(["audit", str(masks), "--model", str(segmentation_model)]) == 1
    assert "3.png has 16×12 px, its picture 32×24; export it again" in capsys.readouterr().err


def test_a_bad_judge_calls_no_label_wrong(signs: Path, signs_model: Path) -> None:
    for number in range(30):
        (signs / "Red" / f"{number}.png").rename(signs / "Blue" / f"red {number}.png")
    found = audited(signs, signs_model)
    assert not [one for one in found["labels"] if one["likely"]]
    assert "rather those of what judges" in found["remarks"][-1]
