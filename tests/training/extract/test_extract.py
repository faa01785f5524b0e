"""From drives to a folder that can be labelled, by the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.report.page import Report
from tests.conftest import SIGNS, solid, write_model
from training.__main__ import main
from training.check import require_sound
from training.segmentation.data import MaskData

COLORS = ("Blue", "Green", "Red")


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Twelve frames: of three colours, four of each, and a file that is no picture."""
    folder = tmp_path / "drive"
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:02d}.png"), solid(COLORS[number // 4]))
    (folder / "12.png").write_bytes(b"no picture")
    return folder


def test_masks_are_written_as_a_data_set_that_can_be_checked(
    drive: Path, segmentation_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "frames"
    options = ["--out", str(out), "--count", "9", "--model", str(segmentation_model)]
    assert main(["extract", str(drive), *options]) == 0
    said = capsys.readouterr().out
    assert "frames are compared as small pictures instead" in said  # this model is no net
    assert "3 of 13 frames" in said and "1 frames cannot be decoded" in said and "fewer than 9" in said
    pictures = sorted((out / "images").iterdir())
    assert len(pictures) == 3
    for path in pictures:
        color = COLORS[int(path.stem.split("_")[1]) // 4]
        assert np.array_equal(cv2.imread(str(path)), solid(color))
        assert np.unique(cv2.imread(str(out / "masks" / path.name), cv2.IMREAD_UNCHANGED)).tolist() == [
            COLORS.index(color)
        ]
    require_sound(MaskData(str(out)))
    picks = json.loads((out / "picks.json").read_text())["picks"]
    assert {out / pick["file"] for pick in picks} == set(pictures) and picks[0]["apart"] is None
    page = (out / "report.html").read_text()
    assert page.count("<img") == 3 and all(path.stem in page for path in pictures)
    assert not list(tmp_path.glob("*.part"))


def test_the_same_drive_gives_the_same_picks(drive: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert main(["extract", str(drive), "--out", str(tmp_path / name), "--count", "2"]) == 0
    first, second = ((tmp_path / name / "picks.json").read_bytes() for name in ("one", "two"))
    assert first == second
    assert len(json.loads(first)["picks"]) == 2


def test_signs_are_cut_out_to_be_sorted(signs_model: Path, detector_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[16:32, 16:32] = solid("Red", 16, 16)
    cv2.imwrite(str(folder / "0.png"), frame)
    out = tmp_path / "frames"
    options = ["--model", str(signs_model), "--detector", str(detector_model)]
    assert main(["extract", str(folder), "--out", str(out), *options]) == 0
    assert (out / "images" / "drive_000000.png").is_file()
    crops = [path.relative_to(out).parent.as_posix() for path in out.rglob("*signs/**/*.png")]
    assert crops and set(crops) <= {"unknown_signs", *(f"known_signs/{color}" for color in COLORS)}


def test_a_strangers_model_writes_nowhere_else(detector_model: Path, tmp_path: Path) -> None:
    """The labels of a model become folders."""
    folder, out = tmp_path / "drive", tmp_path / "frames"
    folder.mkdir()
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[16:32, 16:32] = solid("Red", 16, 16)
    cv2.imwrite(str(folder / "0.png"), frame)
    labels = ("a/b", "..", "../../../stolen")
    model = write_model(tmp_path / "signs.onnx", replace(SIGNS, labels=labels))
    before = set(tmp_path.iterdir())
    assert (
        main(
            [
                "extract",
                str(folder),
                "--out",
                str(out),
                "--model",
                str(model),
                "--detector",
                str(detector_model),
            ]
        )
        == 0
    )
    assert set(tmp_path.iterdir()) == {*before, out}
    folders = {
        path.parent.relative_to(out / "known_signs").as_posix() for path in out.rglob("known_signs/**/*.png")
    }
    assert folders and folders <= {"a_b", "_..", ".._.._.._stolen"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["{drive}", "--count", "0"], "--count is 0; it must be 1 or more"),
        (["{drive}", "--out", "{drive}"], "exists already; give the name of a new folder"),
        (["{drive}/12.png"], "none of 1 frames can be used"),
    ],
)
def test_what_cannot_be_extracted_is_refused(
    given: list[str], said: str, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [argument.format(drive=drive) for argument in given]
    if "--out" not in arguments:
        arguments += ["--out", str(tmp_path / "frames")]
    assert main(["extract", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "frames").exists()


def test_a_model_of_another_task_is_refused(
    drive: Path, detector_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "frames"
    assert main(["extract", str(drive), "--out", str(out), "--model", str(detector_model)]) == 1
    assert "for the task 'sign_detection', only for signs, segmentation" in capsys.readouterr().err


def test_nothing_half_written_stays(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Report, "save", full)
    assert main(["extract", str(drive), "--out", str(tmp_path / "frames")]) == 1
    assert "No space left" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive"]


def test_two_drives_of_one_name_are_told_apart(drive: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "drive"
    other.mkdir(parents=True)
    cv2.imwrite(str(other / "0.png"), solid("none"))
    out = tmp_path / "frames"
    assert main(["extract", str(drive), str(other), "--out", str(out)]) == 0
    names = [path.name for path in (out / "images").iterdir()]
    assert len(names) == 4 and "drive_2_000000.png" in names
