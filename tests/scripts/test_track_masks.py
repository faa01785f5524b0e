"""Floor and lines of a track are measured as the script says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts import track_masks
from tests.conftest import SEGMENTATION, solid, write_model


def test_floor_and_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("floor", "line", "elsewhere")  # what the model says of blue, green and red
    model = write_model(tmp_path / "track.onnx", replace(SEGMENTATION, labels=labels))
    frame = solid("Blue", 24, 32)
    frame[:, 10] = solid("Green", 24, 1)[:, 0]
    truth = np.zeros((24, 32), np.uint8)
    truth[:12, 11] = 1  # beside what the model finds: near enough
    truth[12:, 20] = 1  # not found
    for part in ("train", "val"):
        for kind, picture in (("images", frame), ("masks", truth)):
            (tmp_path / "data" / part / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / "data" / part / kind / "0.png"), picture)
    classes = [{"name": label, "color": [number, 0, 0]} for number, label in enumerate(labels)]
    (tmp_path / "data" / "classes.json").write_text(json.dumps(classes))
    monkeypatch.setattr(sys, "argv", ["", str(model), str(tmp_path / "data")])
    track_masks.main()
    said = capsys.readouterr().out
    assert f"floor IoU {30 / 32:.1%}" in said  # a column of each is no floor, each in another place
    assert "(50% right, 50% found)" in said
