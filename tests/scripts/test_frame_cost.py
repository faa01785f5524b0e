"""The scripts behind docs/fleet.md cut drives out of the shipped bag, and say what a frame costs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from perception.recordings.sources import open_source
from scripts import fleet_speed, frame_cost


def test_drives_begin_at_different_scenes(tmp_path: Path) -> None:
    drives = fleet_speed.write_drives(tmp_path, 2, 7)
    shots = [list(open_source(drive).shots()) for drive in drives]
    assert [len(own) for own in shots] == [7, 7]
    assert not np.array_equal(shots[0][0].image, shots[1][0].image)
    assert np.array_equal(shots[0][fleet_speed.SHIFT].image, shots[1][0].image)


def test_a_frame_is_taken_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (drive,) = fleet_speed.write_drives(tmp_path, 1, 2)
    frame_cost.main([str(drive)])
    said = capsys.readouterr().out
    parts = {name: float(ms) for name, ms in re.findall(r"(read|models|write|all) +│ +([0-9.]+)", said)}
    assert parts["all"] == pytest.approx(parts["read"] + parts["models"] + parts["write"], abs=0.05)
    assert parts["read"] > 0 and parts["models"] > parts["write"]
    sizes = {name: int(size) for name, size in re.findall(r"/segmentation/(mask|confidence) +│ +(\d+)", said)}
    assert 0 < sizes["mask"] < sizes["confidence"]
