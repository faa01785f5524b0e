"""Time a frame's way through the nodes without a model, alone or against another checkout.

    python -m scripts.frame_path
    python -m scripts.frame_path ../older    # make bench AGAINST=../older does this, too

Frames of 1280×720 go over DDS into a node whose engine answers at once, and the answers back. The node's own
clock gives the milliseconds. With another checkout both take turns in one run, so other work slows both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console

FRAMES, WARM_UP = 200, 20
TURNS = 3
SIZE_HW = (720, 1280)
WITHOUT = "infer"  # the stage that is the model's
ROOT = Path(__file__).resolve().parents[1]


def measure(task: str) -> dict[str, float]:
    """Median milliseconds by stage in a node of this process; ``without the model`` is all but ``infer``."""
    import rclpy
    from rclpy.parameter import Parameter
    from sensor_msgs.msg import Image
    from vision_msgs.msg import Classification

    from perception import ModelSpec, Segmenter, SignClassifier
    from perception.engines.fake import FakeEngine
    from perception.nodes.middleware import carry_large_messages
    from perception.nodes.segmentation import SegmentationNode
    from perception.nodes.signs import SignsNode

    make_node, make_model, size_hw, kind, topic = {
        "signs": (SignsNode, SignClassifier, (48, 48), Classification, "signs/classification"),
        "segmentation": (SegmentationNode, Segmenter, (360, 480), Image, "segmentation/confidence"),
    }[task]
    spec = ModelSpec(task, ("A", "B"), ((255, 0, 0), (0, 255, 0)), size_hw)
    carry_large_messages()
    rclpy.init()
    given = [Parameter("model", value="none.onnx")]
    if any(parameter.name == "boxes" for parameter in make_node.parameters):
        given.append(Parameter("boxes", value="frame"))
    node = make_node(load=lambda path, device: make_model(FakeEngine(spec)), parameter_overrides=given)
    node.trigger_configure()
    node.trigger_activate()
    peer = rclpy.create_node("peer")
    answers: list[object] = []
    peer.create_subscription(
        kind, topic, answers.append, 10 if task == "signs" else rclpy.qos.qos_profile_sensor_data
    )
    if task == "segmentation":
        peer.create_subscription(Image, "segmentation/mask", lambda _: None, 1)
    publisher = peer.create_publisher(Image, "image_raw", 1)
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(peer)
    height, width = SIZE_HW
    image = Image(height=height, width=width, step=3 * width, encoding="bgr8")
    image.data.frombytes(np.random.default_rng(0).integers(0, 256, (*SIZE_HW, 3), np.uint8).tobytes())
    laps: list[dict[str, float]] = []
    processed = node.health.processed
    node.health.processed = lambda latency_ms: (laps.append(dict(latency_ms)), processed(latency_ms))
    end = time.monotonic() + 60.0
    while len(laps) < FRAMES + WARM_UP and time.monotonic() < end:
        image.header.stamp.sec += 1
        before = len(laps)
        publisher.publish(image)
        until = time.monotonic() + 1.0
        while len(laps) == before and time.monotonic() < until:
            executor.spin_once(timeout_sec=0.02)
    node.destroy_node()
    rclpy.shutdown()
    timed = laps[WARM_UP:]
    medians = {stage: float(np.median([lap[stage] for lap in timed])) for stage in timed[0]}
    own = [sum(ms for stage, ms in lap.items() if stage not in (WITHOUT, "total")) for lap in timed]
    return medians | {"without the model": float(np.median(own))}


def measured_in(checkout: Path, task: str) -> dict[str, float]:
    """The same in a process of its own, with the code of a checkout."""
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, str(ROOT / "scripts" / "frame_path.py"), "--measure", task]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.frame_path", description="Time a frame's way through the nodes."
    )
    parser.add_argument("other", nargs="?", type=Path, help="another checkout to compare with")
    parser.add_argument("--measure", metavar="TASK", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    from perception.report import tables

    checkouts = [ROOT, *([options.other.resolve()] if options.other else [])]
    for task in ("signs", "segmentation"):
        turns = [[measured_in(checkout, task) for checkout in checkouts] for _ in range(TURNS)]
        columns = [
            {stage: float(np.median([turn[i][stage] for turn in turns])) for stage in turns[0][i]}
            for i in range(len(checkouts))
        ]
        here = columns[0]
        rows = [(stage, ms, *(other.get(stage) for other in columns[1:])) for stage, ms in here.items()]
        header = ("stage", "ms", *(f"{path.name}, ms" for path in checkouts[1:]))
        Console().print(f"{task}, {SIZE_HW[1]}x{SIZE_HW[0]} bgr8, median of {FRAMES} frames in {TURNS} turns")
        Console().print(tables.numbers(header, rows))


if __name__ == "__main__":
    main()
