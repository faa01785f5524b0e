"""Old and new models over the same frames, as a user runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.commands.cli import main
from perception.recordings.sources import open_source
from tests.bags import COMPRESSED, RAW, compressed, damage, raw, write_bag
from tests.conftest import COLORS, DETECTION, SEGMENTATION, SIGNS, solid, write_model

ROOT = Path(__file__).parents[2]

# The new models take blue for green and green for blue.
SWAPPED = ("Green", "Blue", "Red")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a training leaves it."""
    folder = tmp_path_factory.mktemp("old")
    write_model(folder / "signs.onnx", SIGNS)
    write_model(folder / "sign_detector.onnx", DETECTION, batch=1)
    write_model(folder / "road.onnx", SEGMENTATION)
    write_model(folder / "road.int8.onnx", SEGMENTATION)
    return folder


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    write_model(folder / "signs.onnx", replace(SIGNS, labels=SWAPPED, trained_on="more colours"))
    write_model(folder / "sign_detector.onnx", DETECTION, batch=1)
    write_model(folder / "road.onnx", replace(SEGMENTATION, labels=SWAPPED))
    return folder


@pytest.fixture
def sets(old: Path, new: Path) -> tuple[Path, Path]:
    return old, new


def frames() -> list[np.ndarray]:
    """Red above, and from frame 6 on blue below; two signs, of which one is blue."""
    pictures = []
    for number in range(12):
        frame = solid("grey", 100, 150)
        frame[10:40, 10:40] = solid("Red", 1, 1)
        if number >= 6:
            frame[60:90, 100 : 100 + 2 * number] = solid("Blue", 1, 1)
        pictures.append(frame)
    return pictures


def drive(path: Path) -> Path:
    return write_bag(path, [(RAW, raw(frame, stamp)) for stamp, frame in enumerate(frames())])


def compare(*words: object) -> int:
    return main(["run", *map(str, words)])


def read(out: Path) -> dict:
    return json.loads((out / "comparison.json").read_text(encoding="utf-8"))


def test_both_sets_are_compared_task_by_task(tmp_path: Path, old: Path, new: Path) -> None:
    out = tmp_path / "out"
    assert compare(drive(tmp_path / "bag"), "--models", old, new, "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["comparison.json", "report.html"]
    data = read(out)
    signs, road = data["tasks"]
    assert (signs["task"], road["task"], data["frames"], data["inputs"]) == (
        "signs",
        "segmentation",
        12,
        ["bag"],
    )
    assert signs["pairs"] == [["Red", "Red", 12], ["Blue", "Green", 6]]
    assert (signs["counted"], signs["difference"]) == ("things", pytest.approx(6 / 18))
    # Grey is blue for the old mask, because the first of equal colours wins, and green for the new one.
    assert {(first, second) for first, second, _ in road["pairs"]} == {("Blue", "Green"), ("Red", "Red")}
    first, second = (side["observed"] for side in road["sides"])
    assert first["shares"]["Blue"] == pytest.approx(second["shares"]["Green"])
    assert first["flicker"] == second["flicker"] and first["flicker"]["neighbours"] == 11
    confirmed = [{each["label"] for each in side["observed"]["passages"]} for side in signs["sides"]]
    assert confirmed == [{"Red", "Blue"}, {"Red", "Green"}]
    assert {"find infer", "infer", "track", "total"} <= set(signs["sides"][0]["observed"]["latency_ms"])


def test_the_page_shows_where_they_differ(tmp_path: Path, old: Path, new: Path) -> None:
    out = tmp_path / "out"
    assert compare(drive(tmp_path / "bag"), "--models", old, new, "--out", out) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    for words in (
        "Signs: where the two differ most",
        "Segmentation: where the two differ most",
        "Segmentation: shares over time",
        "Signs: events, from being confirmed to leaving",
        "Blue → Green",
        "more colours",
        str(new / "road.onnx"),
    ):
        assert words in page, words
    assert "int8" not in page  # where both are there, the float model is taken
    assert not re.search(r"<script|<link|https?://", page)
    assert page.count("data:image/jpeg") == 3  # frames of 1.2 s: one of signs, two of masks


def test_equal_models_differ_nowhere(tmp_path: Path, old: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    road = old / "road.onnx"
    assert compare(drive(tmp_path / "bag"), "--models", road, road, "--out", out) == 0
    (task,) = read(out)["tasks"]
    assert (task["task"], task["difference"], task["moments"]) == ("segmentation", 0.0, [])
    assert "They say the same about every frame" in (out / "report.html").read_text(encoding="utf-8")
    assert "12 frames" in capsys.readouterr().out


def test_a_task_that_one_of_them_lacks_is_left_out_and_named(tmp_path: Path, old: Path, new: Path) -> None:
    out = tmp_path / "out"
    assert compare(drive(tmp_path / "bag"), "--models", old, new / "road.onnx", "--out", out) == 0
    data = read(out)
    assert [task["task"] for task in data["tasks"]] == ["segmentation"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "signs.onnx" in page and "not compared, because the other one has none" in page


def test_detectors_are_compared_with_one_classifier(tmp_path: Path, old: Path, new: Path) -> None:
    words = (
        "--models",
        old / "sign_detector.onnx",
        new / "sign_detector.onnx",
        "--signs",
        old / "signs.onnx",
    )
    assert compare(drive(tmp_path / "bag"), *words, "--out", tmp_path / "out") == 0
    (task,) = read(tmp_path / "out")["tasks"]
    assert (task["task"], task["difference"]) == ("signs", 0.0)
    assert all(str(old / "signs.onnx") in side["model"] for side in task["sides"])


def test_pictures_of_a_folder_have_no_neighbours(tmp_path: Path, old: Path, new: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, color in enumerate(COLORS):
        cv2.imwrite(str(folder / f"{number}.png"), solid(color))
    (folder / "9.png").write_bytes(b"no picture")
    words = ("--models", old / "road.onnx", new / "road.onnx", "--out", tmp_path / "out")
    assert compare(folder, *words) == 0
    data = read(tmp_path / "out")
    (task,) = data["tasks"]
    assert data["bad"] == {"encoding": 1}
    assert [moment["name"] for moment in task["moments"]] == ["0.png", "1.png"]
    assert task["sides"][0]["observed"]["flicker"] == {
        "pixels": None,
        "label_changes": None,
        "neighbours": 0,
    }


def test_a_bad_frame_is_between_no_neighbours(tmp_path: Path, old: Path) -> None:
    images = [compressed(solid("Red"), number, keep=200 if number == 2 else None) for number in range(5)]
    bag = write_bag(tmp_path / "bag", [(COMPRESSED, image) for image in images])
    words = ("--models", old / "road.onnx", old / "road.int8.onnx", "--out", tmp_path / "out")
    assert compare(bag, *words) == 0
    (task,) = read(tmp_path / "out")["tasks"]
    assert task["sides"][0]["observed"]["flicker"]["neighbours"] == 2


def test_both_side_by_side_as_a_video(tmp_path: Path, old: Path, new: Path) -> None:
    out = tmp_path / "out"
    words = ("--models", old / "road.onnx", new / "road.onnx", "--overlay", "video", "--out", out)
    assert compare(drive(tmp_path / "bag"), *words) == 0
    first, *rest = open_source(out / "overlay.mp4").shots()
    assert len(rest) == 11 and first.image is not None
    assert first.image.shape == (100, 304, 3)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["{old}", "{empty}"], "no model (.onnx) in it"),
        (["{old}", "{old}/none.onnx"], "no such file"),
        (["{old}/signs.onnx", "{new}/road.onnx"], "have no task in common: signs (signs.onnx) and "),
        (["{old}", "{two}"], "two models for signs, a.onnx and b.onnx; give the file itself"),
        (["{old}", "{new}", "--segmentation", "{old}/road.onnx"], "--segmentation gives what is in --models"),
        (
            ["{old}", "{new}", "--detector", "{old}/sign_detector.onnx"],
            "--detector gives what is in --models",
        ),
    ],
)
def test_models_that_cannot_be_compared(
    tmp_path: Path, sets: tuple[Path, Path], words: list[str], problem: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        write_model(tmp_path / "two" / f"{name}.onnx", SIGNS)
    old, new = sets
    places = {"old": old, "new": new, "empty": tmp_path / "empty", "two": tmp_path / "two"}
    given = [word.format(**places) for word in words]
    assert compare(drive(tmp_path / "bag"), "--out", tmp_path / "out", "--models", *given) == 1
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_comparison_is_not_overwritten(tmp_path: Path, old: Path, capsys: pytest.CaptureFixture) -> None:
    words = (
        drive(tmp_path / "bag"),
        "--models",
        old / "road.onnx",
        old / "road.onnx",
        "--out",
        tmp_path / "out",
    )
    assert compare(*words) == 0
    before = (tmp_path / "out" / "comparison.json").read_bytes()
    assert compare(*words) == 1
    assert "comparison.json exists already; remove it or write elsewhere" in capsys.readouterr().err
    assert (tmp_path / "out" / "comparison.json").read_bytes() == before


def test_a_damaged_drive_keeps_what_came_before(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    bag = write_bag(tmp_path / "bag", [(RAW, raw(noise, stamp)) for stamp in range(30)])
    damage(bag)
    words = ("--models", old / "road.onnx", old / "road.onnx", "--out", tmp_path / "out")
    assert compare(bag, *words) == 1
    assert "frames before that are in" in capsys.readouterr().err
    assert 0 < read(tmp_path / "out")["frames"] < 30
    assert "Incomplete" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_ctrl_c_keeps_what_was_compared(tmp_path: Path, old: Path) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), stamp)) for stamp in range(5000)])
    out, road = tmp_path / "out", old / "road.onnx"
    words = ["run", bag, "--models", road, road, "--overlay", "frames", "--out", out]
    process = subprocess.Popen(
        [sys.executable, "-m", "perception", *map(str, words)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not (out / "overlay" / "000009.jpg").exists() and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in error
    assert 9 <= read(out)["frames"] < 5000
    assert "It was stopped before the drive" in (out / "report.html").read_text(encoding="utf-8")
