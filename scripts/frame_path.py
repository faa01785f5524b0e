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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

FRAMES, WARM_UP = 200, 20
LOST_S, LONGEST_S = 1.0, 300.0  # after which a frame counts as lost, and a node as too slow
TURNS = 3
SIZE_HW = (720, 1280)
CAMERA_HW = (480, 640)
WITHOUT = "infer"  # the stage that is the model's
ROOT = Path(__file__).resolve().parents[1]


def measure(task: str) -> dict[str, float]:
    """Median milliseconds by stage in a node of this process; ``without the model`` is all but ``infer``."""
    from perception import ModelSpec, Segmenter, SignClassifier
    from perception.engines.fake import FakeEngine

    make_model, size_hw = {"signs": (SignClassifier, (48, 48)), "segmentation": (Segmenter, (360, 480))}[task]
    spec = ModelSpec(task, ("A", "B"), ((255, 0, 0), (0, 255, 0)), size_hw)
    given = {"model": "none.onnx"}
    if task == "signs":
        given["boxes"] = "frame"
    laps = driven(task, given, SIZE_HW, load=lambda path, **_: make_model(FakeEngine(spec)))
    medians = {stage: float(np.median([lap[stage] for lap in laps])) for stage in laps[0]}
    own = [sum(ms for stage, ms in lap.items() if stage not in (WITHOUT, "total")) for lap in laps]
    return medians | {"without the model": float(np.median(own))}


def over_engine(model: str) -> dict[str, float]:
    """How long a segmentation node takes from the callback to the last publishing, over its bare engine.

    The engine alone infers the same picture between the frames, so that other work slows both.
    """
    from perception.frames import resize

    bare_ms: list[float] = []
    frame = random_frame(CAMERA_HW)

    def infer_alone(node: Any) -> None:
        engine = node.model.engine
        batch = np.ascontiguousarray(resize(frame, engine.spec.input_hw))[np.newaxis]
        start = time.perf_counter()
        engine.infer(batch)
        bare_ms.append((time.perf_counter() - start) * 1000.0)

    laps = driven("segmentation", {"model": model, "device": "cpu"}, CAMERA_HW, between=infer_alone)
    bare, whole = bare_ms[-len(laps) :], [lap["total"] for lap in laps]
    stages = {stage: float(np.median([lap[stage] for lap in laps])) for stage in laps[0]}
    ratios = {
        f"p{share}": float(np.percentile(whole, share) / np.percentile(bare, share)) for share in (50, 99)
    }
    return ratios | {"engine": float(np.median(bare))} | stages


def random_frame(size_hw: tuple[int, int]) -> np.ndarray:
    """A frame of noise."""
    return np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)


def driven(
    task: str,
    given: dict[str, str],
    size_hw: tuple[int, int],
    *,
    between: Callable[[Any], None] = lambda node: None,
    **options: Any,
) -> list[dict[str, float]]:
    """Milliseconds by stage of each frame that a node of this process gets over DDS.

    Args:
        given: its parameters.
        between: is called with the node after each answer, when it has nothing to do.
        options: go to the node.
    """
    import rclpy
    from sensor_msgs.msg import Image

    from perception.nodes import process
    from perception.nodes.middleware import FAST_DDS_PROFILES, fast_dds_profiles

    if hasattr(process, "keep_freed"):  # which an older checkout does not have
        process.keep_freed()
    for name in FAST_DDS_PROFILES:
        os.environ.setdefault(name, fast_dds_profiles(os.environ))
    rclpy.init()
    node, peer = _active(task, given, **options), _receiver(task)
    publisher = peer.create_publisher(Image, "image_raw", 1)
    executor = rclpy.executors.SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(peer)
    height, width = size_hw
    image = Image(height=height, width=width, step=3 * width, encoding="bgr8")
    image.data.frombytes(random_frame(size_hw).tobytes())
    laps: list[dict[str, float]] = []
    processed = node.health.processed
    node.health.processed = lambda latency_ms: (laps.append(dict(latency_ms)), processed(latency_ms))
    end = time.monotonic() + LONGEST_S
    while len(laps) < FRAMES + WARM_UP:
        if time.monotonic() > end:
            sys.exit(f"{task}: only {len(laps)} frames were answered in {LONGEST_S:g} s")
        image.header.stamp.sec += 1
        before = len(laps)
        publisher.publish(image)
        until = time.monotonic() + LOST_S
        while len(laps) == before and time.monotonic() < until:
            executor.spin_once(timeout_sec=0.02)
        between(node)
    node.destroy_node()
    rclpy.shutdown()
    return laps[WARM_UP:]


def _active(task: str, given: dict[str, str], **options: Any) -> Any:
    """A task's node with these parameters, ready for frames."""
    from rclpy.lifecycle import TransitionCallbackReturn
    from rclpy.parameter import Parameter

    from perception.tasks import TASKS, resolve

    parameters = [Parameter(name, value=value) for name, value in given.items()]
    node = resolve(TASKS[task].node)(parameter_overrides=parameters, **options)
    for step in (node.trigger_configure, node.trigger_activate):
        if step() != TransitionCallbackReturn.SUCCESS:
            sys.exit(f"{task}: the node does not start; its log says why")
    return node


def _receiver(task: str) -> Any:
    """A node that receives what a task's node publishes, because nobody publishes to nobody."""
    import rclpy
    from sensor_msgs.msg import Image
    from vision_msgs.msg import Classification

    peer = rclpy.create_node("peer")
    newest = rclpy.qos.qos_profile_sensor_data
    if task == "segmentation":
        peer.create_subscription(Image, "segmentation/confidence", lambda _: None, newest)
        peer.create_subscription(Image, "segmentation/mask", lambda _: None, 1)
    else:
        peer.create_subscription(Classification, "signs/classification", lambda _: None, 10)
    return peer


def measured_in(checkout: Path, *what: str) -> dict[str, float]:
    """What ``--measure`` or ``--over-engine`` gives in a process of its own, with the code of a checkout."""
    from perception.demo.domain import own_domain

    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "ROS_DOMAIN_ID": str(own_domain()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    command = [sys.executable, str(ROOT / "scripts" / "frame_path.py"), *what]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} in {checkout} ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.frame_path", description="Time a frame's way through the nodes."
    )
    parser.add_argument("other", nargs="?", type=Path, help="another checkout to compare with")
    parser.add_argument("--measure", metavar="TASK", help=argparse.SUPPRESS)
    parser.add_argument("--over-engine", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.over_engine:
        print(json.dumps(over_engine(options.over_engine)))
        return
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    from perception.report import tables

    checkouts = [ROOT, *([options.other.resolve()] if options.other else [])]
    for task in ("signs", "segmentation"):
        turns = [[measured_in(checkout, "--measure", task) for checkout in checkouts] for _ in range(TURNS)]
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
