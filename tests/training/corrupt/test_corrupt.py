"""A model is measured on corrupted pictures of each task, and every table says the same in JSON and page."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import COLORS, DETECTION, SEGMENTATION, SIGNS, solid
from tests.training.evaluations import model
from tests.training.interrupts import interrupt
from training.__main__ import main
from training.corrupt import corrupt, endurance
from training.corrupt.corruptions import CORRUPTIONS, OF_BOXES, OF_FRAMES
from training.corrupt.trial import Scene
from training.datasets.images import DataError
from training.detection.corrupted import BoxTrial, lies_on
from training.evaluate.evaluation import spread
from training.pieces import FILE


def measured(out: Path) -> dict[str, Any]:
    return json.loads((out / "corruptions.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Six blue and six green pictures, and six in Red's folder of which two are red."""
    for name in COLORS:
        (tmp_path / "signs" / name).mkdir(parents=True)
        for number in range(6):
            color = "Blue" if name == "Red" and number >= 2 else name
            cv2.imwrite(str(tmp_path / "signs" / name / f"{number}.png"), solid(color, 30 + number, 40))
    return tmp_path / "signs"


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """Three pictures, blue above green, with exact masks."""
    for split in ("train", "val"):
        for part in ("images", "masks"):
            (tmp_path / "road" / split / part).mkdir(parents=True)
        for number in range(3):
            frame = np.vstack([solid("Blue", 40, 64), solid("Green", 40, 64)])
            ids = np.repeat([[0], [1]], 40, axis=0).repeat(64, axis=1).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "road" / split / "images" / f"{number}.png"), frame)
            cv2.imwrite(str(tmp_path / "road" / split / "masks" / f"{number}.png"), ids)
    classes = [{"name": name, "color": [0, 0, 255]} for name in COLORS]
    (tmp_path / "road" / "classes.json").write_text(json.dumps(classes))
    return tmp_path / "road"


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Ten grey pictures with a blue and a red sign each; every fifth validates."""
    (tmp_path / "street").mkdir()
    lines = []
    for number in range(10):
        frame = np.full((96, 128, 3), 90, np.uint8)
        frame[20:50, 20:50], frame[40:80, 70:110] = solid("Blue", 30, 30), solid("Red", 40, 40)
        cv2.imwrite(str(tmp_path / "street" / f"{number:05d}.png"), frame)
        lines += [f"{number:05d}.ppm;20;20;50;50;1", f"{number:05d}.ppm;70;40;110;80;2"]
    (tmp_path / "street" / "gt.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "street"


def test_crops_fill_tables_that_repeat_themselves(signs: Path, tmp_path: Path) -> None:
    spec = model(tmp_path, val_fraction=0.5, seed=0)
    for out in ("one", "two"):
        corrupt(spec, signs, out=tmp_path / out, split="all")
    figures = measured(tmp_path / "one")
    assert figures == measured(tmp_path / "two")
    table = figures["corruptions"]["accuracy"]
    assert list(table) == list(CORRUPTIONS) and all(len(row) == 5 for row in table.values())
    assert figures["accuracy"] == pytest.approx(14 / 18)
    assert figures["corrupted_accuracy"] == pytest.approx(np.mean(list(table.values())))
    # A colour stays what it is under a blur.
    assert table["defocus blur"] == [figures["accuracy"]] * 5
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert "accuracy by corruption" in page and "occlusion, severity 3: accuracy " in page
    assert "Truth goes with the pixels" not in page
    assert cv2.imread(str(tmp_path / "one" / "corruptions.jpg")) is not None


def test_of_the_corrupted_crops_read_right_the_share_of_the_known_is_said(
    signs: Path, tmp_path: Path
) -> None:
    known = {}
    for threshold in (0.0, 0.5):
        spec = replace(SIGNS, thresholds={"known": threshold})
        corrupt(model(tmp_path, spec), signs, out=tmp_path / "out", split="all")
        known[threshold] = measured(tmp_path / "out")
    assert known[0.0]["corrupted_known"] == 1.0 > known[0.5]["corrupted_known"]
    table = known[0.5]["corruptions"]["known"]
    # A blur leaves a colour as it is, and fog makes it greyer, so that the model is less sure of it.
    assert table["defocus blur"] == [1.0] * 5
    assert table["fog"][0] >= table["fog"][4] and table["fog"][4] < 1.0


def test_speed_limits_read_as_others_are_counted_under_each_corruption(tmp_path: Path) -> None:
    labels = ("Speed limit 30", "Stop", "Speed limit 80")
    for label, color in zip(labels, ("Blue", "Green", "Blue")):  # all of 80 look like 30
        (tmp_path / "signs" / label).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(tmp_path / "signs" / label / f"{number}.png"), solid(color, 30 + number, 40))
    path = model(tmp_path, replace(SIGNS, labels=labels))
    corrupt(path, tmp_path / "signs", out=tmp_path / "out", split="all")
    numbers = measured(tmp_path / "out")["numbers"]
    assert numbers["clean"]["mistaken"] == 2
    assert numbers["defocus blur"]["mistaken"] == 10 and numbers["defocus blur"]["crops"] == 20
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Signs that differ in a number alone" in page


def test_masks_are_measured_with_truth_that_goes_with_the_pixels(
    road: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("corrupt", model(tmp_path, SEGMENTATION), road, "--out", out, "--limit", 2)
    assert main([str(argument) for argument in arguments]) == 0
    figures = measured(out)
    assert (figures["pictures"], figures["wanted"], figures["mIoU"]) == (2, 2, 1.0)
    table = figures["corruptions"]["mIoU"]
    assert tuple(table) == OF_FRAMES and not set(OF_BOXES) & set(table)
    # The model sees colours alone, so nothing is wrong where the truth moves as the colours do.
    for name in ("rolling shutter", "dropped rows", "occlusion"):
        assert min(figures["corruptions"]["global accuracy"][name]) > 0.97, name
    said = capsys.readouterr().out
    assert "2 pictures, each clean and under 14 × 5 conditions" in said
    assert f"Most harmful: {min(table, key=lambda name: np.mean(table[name]))}" in said
    assert "Truth goes with the pixels" in (out / "report.html").read_text(encoding="utf-8")


def test_boxes_are_measured_with_truth_that_goes_with_the_pixels(street: Path, tmp_path: Path) -> None:
    corrupt(model(tmp_path, DETECTION, val_fraction=0.2), street, out=tmp_path / "out")
    figures = measured(tmp_path / "out")
    assert (figures["pictures"], figures["AP50"], figures["recall"]) == (2, 1.0, 1.0)
    table = figures["corruptions"]["AP50"]
    assert tuple(table) == OF_FRAMES
    assert min(table["rolling shutter"]) == 1.0
    assert any("2 of 2 pictures that show a sign" in remark for remark in figures["remarks"])


def test_a_sign_that_is_gone_is_neither_missed_nor_a_false_alarm(street: Path, tmp_path: Path) -> None:
    import perception

    with perception.load(model(tmp_path, DETECTION, val_fraction=0.2)) as find:
        trial = BoxTrial(find, street, split="val")
        scene = trial.read(trial.items[0])
        wanted = replace(scene.truth, boxes=scene.truth.boxes[:1], gone=scene.truth.boxes[1:])
        (answer,) = trial.ask([Scene(scene.frame, wanted, "")])
        assert len(answer.wanted) == 1 and len(answer.found) == 1
        assert trial.measures["AP50"]([answer]) == trial.measures["recall"]([answer]) == 1.0
        none = replace(wanted, boxes=wanted.boxes[:0])
        (answer,) = trial.ask([Scene(scene.frame, none, "")])
        assert np.isnan(trial.measures["AP50"]([answer])) and np.isnan(trial.measures["recall"]([answer]))
    boxes = np.array([[0, 0, 10, 10], [6, 0, 16, 10]], np.float32)
    assert lies_on(boxes, np.array([[5, 0, 30, 30]], np.float32)).tolist() == [True, True]
    assert lies_on(boxes, np.array([[6, 0, 30, 30]], np.float32)).tolist() == [False, True]


def test_what_was_done_until_an_interrupt_is_whole(
    road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(monkeypatch, endurance, "corrupted", 2 * 70 + 9)  # in the third picture
    corrupt(model(tmp_path, SEGMENTATION), road, out=tmp_path / "out")
    figures = measured(tmp_path / "out")
    assert (figures["pictures"], figures["wanted"]) == (2, 3)
    assert None not in np.array(list(figures["corruptions"]["mIoU"].values())).ravel()
    assert "Interrupted after 2 of 3 pictures" in capsys.readouterr().out


def test_after_a_kill_it_goes_on_to_the_same_figures(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    given = ("corrupt", model(tmp_path, DETECTION), street, "--split", "all", "--limit", 3, "--out")
    arguments = [*map(str, given)]
    with subprocess.Popen(
        [sys.executable, "-m", "training", *arguments, str(out)], stdout=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and _lines(out / FILE) < 2:
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL and not (out / "corruptions.json").exists()
    done = _lines(out / FILE) - 1
    with (out / FILE).open("a") as file:
        file.write('{"piece": "9", "is": {"dict": [[')  # whatever it had begun to write
    assert main([*arguments, str(out), "--resume"]) == main([*arguments, str(whole)]) == 0
    assert f"goes on after {done} finished pieces" in capsys.readouterr().out
    assert measured(out) == measured(whole) and measured(out)["pictures"] == 3 > done
    assert not (out / FILE).exists()


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("task", ["signs", "masks"])
def test_answers_of_all_tasks_are_kept_to_the_last_bit(
    task: str, road: Path, signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data = {"signs": (model(tmp_path), signs), "masks": (model(tmp_path, SEGMENTATION), road)}[task]
    limit = {"signs": 12, "masks": 3}[task]
    monkeypatch.setattr("training.signs.corrupted.SignTrial.at_once", 4)
    corrupt(path, data, out=tmp_path / "whole", split="all", limit=limit)
    calls = interrupt(monkeypatch, endurance, "_asked", 3)
    corrupt(path, data, out=tmp_path / "out", split="all", limit=limit)
    assert measured(tmp_path / "out")["pictures"] < measured(tmp_path / "out")["wanted"]
    corrupt(path, data, out=tmp_path / "out", split="all", limit=limit, resume=True)
    assert measured(tmp_path / "out") == measured(tmp_path / "whole")
    asked = [start for *_, start in calls]
    assert len(asked) == len(set(asked)) + 1  # the piece that was interrupted alone was begun twice


def test_what_cannot_be_measured_is_said(road: Path, signs: Path, tmp_path: Path) -> None:
    masks = model(tmp_path, SEGMENTATION)
    with pytest.raises(DataError, match="--limit is 0; it must be 1 or more"):
        corrupt(masks, road, out=tmp_path / "out", limit=0)
    cv2.imwrite(str(road / "val" / "masks" / "2.png"), np.zeros((24, 30), np.uint8))
    with pytest.raises(DataError, match=r"masks/2\.png has 30×24 px, its picture 64×80"):
        corrupt(masks, road, out=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [FILE]


@pytest.mark.parametrize(("limit", "places"), [(None, range(7)), (9, range(7)), (3, (0, 3, 6)), (1, (0,))])
def test_a_limit_spreads_over_all(limit: int | None, places: Sequence[int]) -> None:
    assert list(spread(range(7), limit)) == list(places)
