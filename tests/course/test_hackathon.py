"""Each task of the hackathon can be driven without a car, and is scored as its page says."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from course.hackathon import drive
from course.hackathon.tasks import TASKS
from perception.commands import cli
from perception.expectations import schema
from training import __main__ as training

FOLDER = Path(drive.__file__).parent
PAGE = FOLDER.parent / "hackathon.md"
ROOT = FOLDER.parents[1]


def options(name: str) -> list[str]:
    """Which models the page says judge a task."""
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if f"{name}.yaml" in line)
    return line.split(f"{name}.yaml", 1)[1].replace("YOUR_TRACK.onnx", "models/track.onnx").split()


@pytest.mark.parametrize("name", TASKS)
def test_a_file_of_expectations_is_accepted(name: str) -> None:
    assert len(schema.read(TASKS[name].expected).all) >= 4


@pytest.mark.parametrize("name", [name for name in TASKS if name != "4_unknown_sign"])
def test_the_baseline_gets_the_score_of_the_page(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(ROOT)
    bag = tmp_path / "heat"
    assert drive.main([name, "--team", str(FOLDER / "baseline.py"), "--out", str(bag)]) == 0
    assert cli.main(["evaluate", str(bag), "--expect", str(TASKS[name].expected), *options(name)]) == 3
    said = re.findall(r"(\d of \d) expectations hold", capsys.readouterr().out)
    row = next(
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {name[0]} |")
    )
    assert said == re.findall(r"\d of \d", row)[:1]


def test_a_sign_that_the_model_does_not_know_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(ROOT)
    name, bag = "4_unknown_sign", tmp_path / "heat"
    monkeypatch.setitem(TASKS, name, replace(TASKS[name], seconds=1.0))
    assert drive.main([name, "--team", str(FOLDER / "baseline.py"), "--out", str(bag)]) == 0
    words = ["evaluate", str(bag), "--expect", str(TASKS[name].expected), "--segmentation", "none"]
    assert cli.main(words) == 1
    assert "the model for signs has no class 'pit stop'" in capsys.readouterr().err


def test_the_team_that_sees_keeps_its_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(ROOT)
    name, bag = "3_lane", tmp_path / "heat"
    assert drive.main([name, "--team", str(FOLDER / "solution.py"), "--out", str(bag)]) == 0
    assert cli.main(["evaluate", str(bag), "--expect", str(TASKS[name].expected), *options(name)]) == 0
    assert "5 of 5 expectations hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1", "has no function drive(frame, time_s)"),
        ("def drive(frame, time_s):\n    return 0.5", "gave 0.5; return (speed, curvature)"),
        ("def drive(frame, time_s):\n    return 0.5, float('nan')", "both numbers have to be finite"),
        (None, "no such file"),
    ],
)
def test_a_team_that_cannot_drive_is_named(
    source: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    team = tmp_path / "team.py"
    if source is not None:
        team.write_text(source)
    assert drive.main(["3_lane", "--team", str(team), "--out", str(tmp_path / "heat")]) == 1
    assert says in capsys.readouterr().err
    assert not (tmp_path / "heat").exists()


def test_a_heat_that_cannot_be_written_is_named_and_makes_no_folder_of_frames(
    full_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    frames, bag = tmp_path / "frames", tmp_path / "heat"
    bag.mkdir()
    words = ["3_lane", "--team", str(FOLDER / "baseline.py")]
    assert drive.main([*words, "--out", str(bag), "--frames", str(frames)]) == 1
    assert f"{bag} exists already" in capsys.readouterr().err and not frames.exists()
    assert drive.main([*words, "--out", str(tmp_path / "next"), "--frames", str(full_disk / "f")]) == 1
    assert f"drive: [Errno 28] cannot be written: No space left on device: '{full_disk}" in (
        capsys.readouterr().err
    )


def test_frames_to_learn_from_are_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(TASKS, "5_floor", replace(TASKS["5_floor"], seconds=5.0))
    frames = tmp_path / "frames"
    words = ["--team", str(FOLDER / "baseline.py"), "--out", str(tmp_path / "heat"), "--frames", str(frames)]
    assert drive.main(["5_floor", "--seed", "1", *words]) == 0
    assert training.main(["check", str(frames)]) == 0
    assert "4 classes (floor, line, object, elsewhere), 4 + 1 pictures" in capsys.readouterr().out
