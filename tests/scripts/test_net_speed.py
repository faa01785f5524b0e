"""Untrained nets are timed against a model file."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from scripts import net_speed
from tests.training.conftest import make_camvid
from tests.training.nets import pictures, write_models
from training.onnx.int8 import to_int8
from training.segmentation.net import SegNetCompact


def test_each_net_is_exported_quantized_and_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, quantized = write_models(tmp_path) / "segnet.onnx", tmp_path / "int8.onnx"
    onnx.save(to_int8(onnx.load(before), pictures(before, 4)), quantized)
    monkeypatch.setattr(net_speed, "NETS", {"4, 8, 8, 8": lambda n: SegNetCompact(n, widths=(4, 8, 8, 8))})
    monkeypatch.setattr(net_speed, "SIZE_HW", (60, 80))
    monkeypatch.setattr(net_speed, "CALIBRATION", 2)
    camvid = make_camvid(tmp_path / "CamVid")
    monkeypatch.setattr(sys, "argv", ["", str(before), str(quantized), str(camvid), "--turns", "2"])
    net_speed.main()
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    assert list(cells) == ["before", "4, 8, 8, 8", net_speed.SLICED]
    assert cells["before"][2] == cells["before"][4] == "1.00"
    assert cells["4, 8, 8, 8"][0] == "0.01 M" and all(cells["4, 8, 8, 8"])
