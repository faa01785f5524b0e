"""The load that both nodes are put under: what its figures mean, and that it runs."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="the nodes need ROS 2")

import os
import subprocess
import sys
import time
from types import SimpleNamespace

from scripts import load
from scripts.load import FIGURES, Load
from tests.ros import ROOT


def test_the_first_and_the_last_minute_are_told_apart() -> None:
    load = Load(counts={"dropped": "500"})
    load.ages.append((0.0, 9e9))
    load.restart()
    load.counts["dropped"] = "1700"
    for second in range(600):
        late = second > 540
        load.ages.append((second + 0.5, 100.0 + 50.0 * late + (second == 300) * 900.0))
        load.resident.append((second + 0.5, 10_000_000 * (20 if late else 30 if second < 30 else 10)))
    load.signs = 1500
    figures = dict(zip(FIGURES, load.figures(600.0), strict=True))
    assert (figures["frames answered"], figures["frames dropped for a newer one"]) == (600, 1200)
    assert figures["known signs a frame"] == 2.5
    assert figures["age in the first minute, p50 ms"] == figures["age in the first minute, p99 ms"] == 100.0
    assert figures["age in the last minute, p50 ms"] == figures["age in the last minute, p99 ms"] == 150.0
    assert figures["longest age, ms"] == 1000.0
    assert figures["memory after the first minute, MB"] == 100.0
    assert figures["memory at the end, MB"] == 200.0


def test_of_a_short_run_the_thirds_count() -> None:
    load = Load(resident=[(2.0, 5_000_000), (8.0, 6_000_000)])
    load.ages += [(0.5, 10.0), (5.0, 99.0), (8.5, 20.0)]
    figures = dict(zip(FIGURES, load.figures(9.0), strict=True))
    assert figures["age in the first minute, p50 ms"] == 10.0
    assert figures["age in the last minute, p50 ms"] == 20.0
    assert figures["memory at the end, MB"] == 6.0
    load.ages.pop()
    assert dict(zip(FIGURES, load.figures(9.0)))["age in the last minute, p50 ms"] is None


def test_a_node_that_never_answers_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load.rclpy, "spin_once", lambda *_, timeout_sec: time.sleep(timeout_sec))
    observer = SimpleNamespace(loads={"signs": Load(ages=[(0.1, 10.0)]), "segmentation": Load()}, seconds=0.0)
    child = SimpleNamespace(code=None, process=SimpleNamespace(pid=os.getpid()), last_lines=lambda: "why")
    nodes = {"signs": child, "segmentation": child}
    with pytest.raises(SystemExit, match=r"^segmentation: no answer in 0\.2 s\nwhy$"):
        load._spin(observer, child, nodes, 0.2, until_answered=True)
    observer.loads["segmentation"].ages.append((0.2, 10.0))
    load._spin(observer, child, nodes, 100.0, until_answered=True)


def test_it_runs() -> None:
    command = [sys.executable, "-m", "scripts.load", "--minutes", "0.05", "--size", "160x120", "--signs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("160x120 bgr8, 0.05 minutes, signs in view; ")
    assert "frames a second were sent" in done.stdout
    (answered,) = [line.split("│")[2:4] for line in done.stdout.splitlines() if "answered" in line]
    assert all(int(count) > 0 for count in answered)
