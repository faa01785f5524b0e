"""The script prints how well signs are followed, and writes the frames with their tracks."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from perception import pictures
from scripts.streaming import main
from tests.conftest import DETECTION, SIGNS, write_model
from tests.training.detection.drives import make_gtsdb


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["streaming", *map(str, arguments)])
    main()


def test_it_prints_the_tables_and_writes_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_gtsdb(tmp_path / "GTSDB")
    spec = replace(SIGNS, labels=("Keep right", "Give way", "Stop"))  # blue, green, red
    signs = write_model(tmp_path / "signs.onnx", spec)
    detector = write_model(tmp_path / "detector.onnx", DETECTION, batch=1)
    models = ("--detector", detector, "--signs", signs, "--drives", "1")
    call(monkeypatch, data, *models)
    printed = capsys.readouterr().out
    assert "1 drives, " in printed and "2 signs" in printed
    assert "right, tracked" in printed and "changes of a sign's track" in printed
    call(monkeypatch, data, *models, "--pictures", tmp_path / "out")
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) > 20 and pictures.read(written[0]).shape == (180, 240, 3)
    with pytest.raises(SystemExit, match="sign_detection"):
        call(monkeypatch, data, "--detector", signs, "--signs", signs)


def test_a_folder_without_boxes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=str(tmp_path)):
        call(monkeypatch, tmp_path)
