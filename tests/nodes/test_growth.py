"""A hundred lifecycle cycles in one process leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.conftest import SIGNS, write_model
from tests.ros import ROOT

PROGRAM = """
import gc, json, os, sys, time
import rclpy
from pathlib import Path
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from perception.nodes.signs import SignsNode
from sensor_msgs.msg import Image

rclpy.init()
given = {"model": sys.argv[1], "boxes": "frame"}
node = SignsNode(parameter_overrides=[Parameter(name, value=value) for name, value in given.items()])
answered = []
follow = node.answer
node.answer = lambda job, frame: (follow(job, frame), answered.append(job))[0]
message = Image(height=40, width=60, step=180, encoding="bgr8", data=bytes((0, 0, 255)) * 2400)

def turn(*transitions):
    for transition in transitions:
        assert transition() == TransitionCallbackReturn.SUCCESS, node.fault

for cycle in range(120):
    turn(node.trigger_configure, node.trigger_activate)
    (camera,) = [one for one in node.subscriptions if one.topic_name == "/image_raw"]
    camera.callback(message)
    while len(answered) <= cycle:
        time.sleep(0.001)
    turn(node.trigger_deactivate, node.trigger_cleanup)
    if cycle in (19, 119):
        gc.collect()
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        print(json.dumps({
            "answered": len(answered),
            "memory": int(status["VmRSS"].split()[0]) * 1024,
            "threads": int(status["Threads"]),
            "handles": len(os.listdir("/proc/self/fd")),
        }))
node.destroy_node()
rclpy.shutdown()
"""
WEIGHTS = 1_000_000  # float32: 4 MB that stay as long as a model does
MAX_GROWTH = 20_000_000  # bytes, of which Python and the allocator may keep some


def heavy_model(path: Path) -> Path:
    """A sign model with weights that a look at its memory would notice."""
    write_model(path, SIGNS)
    model = onnx.load(path)
    known = next(node for node in model.graph.node if node.output[0] == "known")
    known.output[0] = "light"
    weights = np.random.default_rng(0).random((3, WEIGHTS // 3), np.float32)
    model.graph.initializer.extend(
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.float32(0), "nothing")]
    )
    model.graph.node.extend(
        [
            helper.make_node("MatMul", ["mean", "weights"], ["products"]),
            helper.make_node("ReduceMax", ["products"], ["largest"], axes=[1], keepdims=0),
            helper.make_node("Mul", ["largest", "nothing"], ["zero"]),
            helper.make_node("Add", ["light", "zero"], ["known"]),
        ]
    )
    onnx.save_model(model, path)
    return path


def test_a_hundred_lifecycle_cycles_leave_no_memory_threads_or_handles_behind(peer, tmp_path: Path):
    command = [sys.executable, "-c", PROGRAM, str(heavy_model(tmp_path / "signs.onnx"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    early, late = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    print(early, late)

    assert (early["answered"], late["answered"]) == (20, 120)
    assert late["threads"] == early["threads"]
    assert late["handles"] == early["handles"]
    assert late["memory"] - early["memory"] < MAX_GROWTH
