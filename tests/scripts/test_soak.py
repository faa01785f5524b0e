"""The soak test: its faults happen and are survived."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="the nodes need ROS 2")

import subprocess
import sys

from tests.ros import ROOT


def test_it_runs() -> None:
    command = [sys.executable, "-m", "scripts.soak", "--minutes", "0.02", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        cells[0].strip(): cells[1:] for line in done.stdout.splitlines() if (cells := line[1:].split("│"))
    }
    assert [int(count) for count in rows["errors"][:2]] == [0, 0]
    assert all(int(count) > 0 for count in rows["answers received here"][:2])
    assert [int(code) for code in rows["exit code after SIGTERM"][:2]] == [0, 0]
    assert "0.02 minutes, seed 1" in done.stdout
