"""The same word is the same class in each Unicode form, and names are sorted as people count."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tests.conftest import SIGNS
from tests.training.checks import listed
from training.check import Kind, check
from training.datasets.images import require_labels
from training.segmentation import data as segmentation
from training.signs import data as signs
from training.split import Split, of_tracks

WORD = "Fußgängerüberweg"
MAC = unicodedata.normalize("NFD", WORD)


def make(root: Path, *names: str, count: int = 4) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            picture = rng.integers(0, 255, (20, 20, 3)).astype(np.uint8)
            (root / name / f"{number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return root


def test_a_mac_names_the_same_classes(tmp_path: Path) -> None:
    ours, theirs = (
        signs.read(make(tmp_path / where, word, "Stop")) for where, word in zip("ab", (WORD, MAC))
    )
    assert ours.labels == theirs.labels == (WORD, "Stop")
    assert of_tracks(ours.images) == of_tracks(theirs.images)


def test_both_forms_are_one_class(tmp_path: Path) -> None:
    root = make(tmp_path / "own", MAC, "Stop", WORD)
    dataset = signs.read(root)
    assert dataset.labels == (WORD, "Stop")
    assert [image.class_id for image in dataset.images].count(0) == 8
    assert listed(check(root)) == {(Kind.NAMES, MAC)} or listed(check(root)) == {(Kind.NAMES, WORD)}


def test_flips_and_classes_left_out_are_found_in_each_form(tmp_path: Path) -> None:
    root = make(tmp_path / "own", MAC, "Links", "Rechts")
    (root / "flips.json").write_text(json.dumps({WORD: WORD, "Links": "Rechts"}), "utf-16")
    dataset = signs.read(root)
    assert dataset.flips == {0: 0, 1: 2}
    for form in (WORD, MAC):
        assert signs.without(dataset, [form])[0].labels == ("Links", "Rechts")


def test_models_of_earlier_releases_may_have_a_macs_names(tmp_path: Path) -> None:
    spec = replace(SIGNS, labels=("Stop", MAC), palette=SIGNS.palette[:2])
    dataset = signs.read_like(spec, make(tmp_path / "own", WORD, "Stop"), Split(0.1, 0))
    assert dataset.labels == ("Stop", WORD)
    require_labels((WORD,), (MAC,), tmp_path)


def test_masks_have_names_in_one_form(mask_folders: Path) -> None:
    classes = [{"name": MAC, "color": [0, 255, 0]}, {"name": "Kerb ", "color": [255, 0, 0]}]
    (mask_folders / "classes.json").write_text(json.dumps(classes), "utf-8-sig")
    (mask_folders / "val" / "images" / "a.jpg").rename(mask_folders / "val" / "images" / f"{MAC}.jpg")
    (mask_folders / "val" / "masks" / "a.png").rename(mask_folders / "val" / "masks" / f"{WORD}.PNG")
    dataset = segmentation.read(mask_folders)
    assert dataset.labels == (WORD, "Kerb ")
    assert dataset.val[0].mask_path.name == f"{WORD}.PNG"
    (blank,) = (one for one in check(mask_folders) if one.kind is Kind.NAMES)
    assert "'Kerb ' begins or ends with a blank" in blank.message


def test_names_that_hardly_differ_are_warned_of(tmp_path: Path) -> None:
    root = make(tmp_path / "own", "Stop", "stop", "Stop ", "Keep right", "Keep  right", "Yield")
    (messages,) = [[one.message for one in check(root) if one.kind is Kind.NAMES]]
    assert len(messages) == 1 + 3 + 1
    assert not any("Yield" in message for message in messages)


def test_numbered_classes_are_sorted_as_numbers(tmp_path: Path) -> None:
    root = make(tmp_path / "own", "10", "2", "1", "0", "sign 10", "sign 9")
    assert signs.read(root).labels == ("0", "1", "2", "10", "sign 9", "sign 10")


def test_classes_of_what_is_no_sign_are_pointed_out(tmp_path: Path) -> None:
    root = make(tmp_path / "own", "Stop", "Background", "no_sign", "Unbekannt", "Another road")
    assert listed(check(root)) == {
        (Kind.NO_SIGN, "Background"),
        (Kind.NO_SIGN, "no_sign"),
        (Kind.NO_SIGN, "Unbekannt"),
    }
    assert "--data.background" in Kind.NO_SIGN.advice
