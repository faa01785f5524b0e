"""The promises about time: what a row says, and that the parts run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="the nodes need ROS 2")
pytest.importorskip("onnx", reason="the plain way cuts a model file open")

import perception
from scripts import frame_path, plain
from scripts.load import Load
from scripts.speed import at_least, at_most
from tests.ros import RED, ROOT, solid


def test_a_row_says_whether_its_target_is_met() -> None:
    assert at_least("fast", 2.5, 2.5).holds and not at_least("fast", 2.49, 2.5).holds
    assert at_most("slow", 1.0, 1.0).holds and not at_most("slow", 1.01, 1.0).holds
    assert (at_least("fast", 3.0, 2.5).target, at_most("slow", 1.0, 1.2).target) == ("≥ 2.5", "≤ 1.2")


def test_inference_and_growth_of_a_load() -> None:
    load = Load(counts={"infer_ms_p99": "12.5", "find_infer_ms_p99": "7.5", "total_ms_p99": "99"})
    assert load.inference_ms == 20.0
    load.resident = [(float(second), (100 if second < 20 else 130 + second) * 10**6) for second in range(60)]
    assert load.grown_mb() == pytest.approx(187 - 152)
    assert Load().grown_mb() == 0.0


def test_the_plain_way_gives_the_same_mask() -> None:
    model = ROOT / "models" / "track.onnx"
    frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    frame[40:] = solid(RED, 80, 160)
    with perception.load(model, device="cpu") as segment:
        wanted = segment(frame).class_ids
    given = plain.way(model, frame, 1)()
    assert given.shape == wanted.shape
    assert (given == wanted).mean() > 0.97  # other rounding where the frame is resized


def test_a_node_is_timed_over_its_engine() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.frame_path", "--over-engine", "track"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["total"] > figures["infer"] > 0
    assert figures["p50"] > 0 and figures["p99"] > 0


def test_a_node_that_does_not_start_is_named() -> None:
    with pytest.raises(SystemExit, match="segmentation: the node does not start; its log says why"):
        frame_path.measured_in(ROOT, "--over-engine", "no_such_model")
