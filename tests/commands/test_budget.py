"""Which models hold a rate: what is said of which size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perception.commands import budget, cli
from perception.commands.budget import SIZES_HW, Held


def test_a_model_holds_a_rate_if_19_of_20_frames_take_less_than_its_period() -> None:
    total_ms = dict(zip(SIZES_HW, (20.0, 33.3, 33.4, 90.0), strict=True))
    held = Held("segnet.onnx", "cpu", total_ms, 30.0)
    assert [held.holds(size_hw) for size_hw in SIZES_HW] == [True, True, False, False]
    assert held.to_json()["sizes"]["1280x720"] == {"total_ms_p95": 90.0, "holds": False}


def test_the_command_says_it_of_each_size(
    tmp_path: Path, signs_model: Path, segmentation_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(signs_model), str(segmentation_model)]
    out = tmp_path / "budget.json"
    given = ["--frames", "2", "--json", str(out), "--device", "cpu"]
    assert cli.main(["bench", *files, "--budget", "0.001", *given]) == 0
    printed = capsys.readouterr().out
    assert "0.001 Hz are 1000000.0 ms" in printed
    assert printed.count("holds") == 2 * len(SIZES_HW)
    rows = json.loads(out.read_text())
    assert [row["model"] for row in rows] == ["signs.onnx", "segnet.onnx"]
    assert list(rows[0]["sizes"]) == ["160x120", "320x240", "640x480", "1280x720"]
    assert cli.main(["bench", *files, "--budget", "1000000", *given]) == 0
    assert "holds" not in capsys.readouterr().out


def test_without_models_the_shipped_ones_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def bench(paths: list[Path], **_: object) -> list[object]:
        asked.append([path.name for path in paths])
        return []

    monkeypatch.setattr(budget, "bench", bench)
    budget.measure([], 30.0)
    assert len(asked) == len(SIZES_HW)
    assert {"segnet.onnx", "signs.int8.onnx", "track.onnx"} <= set(asked[0])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "no model to time; name some, such as segnet"),
        (["--budget", "30", "--boxes", "8"], "--budget paints frames of several sizes; leave --boxes out"),
    ],
)
def test_what_makes_no_sense_is_refused(
    given: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", *given]) == 1
    assert problem in capsys.readouterr().err
