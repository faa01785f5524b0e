"""Load both nodes with a fast camera for a long time: does the age of their results, or their memory, grow?

    python -m scripts.load --minutes 10
    python -m scripts.load --together --jpeg          # both nodes in one process; JPEG frames

A camera of 60 Hz, both nodes with the shipped models, and this process, which receives the results, share two
cores. It runs twice: with signs in view, and without.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rich.console import Console
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from perception import topics
from perception.demo.child import Child
from perception.demo.demo import isolation
from perception.nodes.messages import qos_profile
from perception.nodes.middleware import started
from perception.report import tables
from scripts.camera import size

SHIPPED: Mapping[str, str] = {}
CORES = 2
MINUTE_S = 60.0
SETTLE_S = 3.0  # the first frames are slower
START_S = 120.0
NODES = {"signs": "signs/detections", "segmentation": "segmentation/mask"}
FIGURES = (
    "frames answered",
    "frames dropped for a newer one",
    "known signs a frame",
    "age in the first minute, p50 ms",
    "age in the first minute, p99 ms",
    "age in the last minute, p50 ms",
    "age in the last minute, p99 ms",
    "longest age, ms",
    "memory after the first minute, MB",
    "memory at the end, MB",
)


@dataclass
class Load:
    """What became of one node under load.

    Attributes:
        ages: (seconds since the start, milliseconds from the stamp to the arrival) by result.
        resident: (seconds since the start, bytes in memory), once a second.
        signs: known signs in all results.
        counts: the last values of its diagnostics.
        dropped_before: frames dropped before the start.
    """

    ages: list[tuple[float, float]] = field(default_factory=list)
    resident: list[tuple[float, int]] = field(default_factory=list)
    signs: int = 0
    counts: dict[str, str] = field(default_factory=dict)
    dropped_before: int = 0

    def restart(self) -> None:
        """Forget what was so far."""
        self.ages.clear()
        self.resident.clear()
        self.signs = 0
        self.dropped_before = self._dropped()

    def figures(self, seconds: float) -> tuple[float | None, ...]:
        """What FIGURES names; the first and the last minute are thirds of a run shorter than three."""
        span = min(MINUTE_S, seconds / 3)
        early = [age for at, age in self.ages if at <= span]
        late = [age for at, age in self.ages if at > seconds - span]
        memory = [
            [size / 1e6 for at, size in self.resident if low <= at <= high]
            for low, high in ((span / 2, span), (seconds - span / 2, seconds))
        ]
        answered = len(self.ages)
        return (
            answered,
            self._dropped() - self.dropped_before,
            self.signs / max(answered, 1),
            *(percentile(ages, share) for ages in (early, late) for share in (50, 99)),
            percentile([age for _, age in self.ages], 100),
            *(percentile(sizes, 50) for sizes in memory),
        )

    @property
    def inference_ms(self) -> float:
        """The 99th percentile of one frame's inferences, by the diagnostics."""
        return sum(float(self.counts.get(f"{stage}_ms_p99", 0)) for stage in ("find_infer", "infer"))

    def grown_mb(self) -> float:
        """By how much the memory grew from the end of the first third to the end."""
        sizes = [size / 1e6 for _, size in self.resident]
        first, last = sizes[len(sizes) // 3 :][:5], sizes[-5:]
        return float(np.median(last) - np.median(first)) if sizes else 0.0

    def _dropped(self) -> int:
        return int(self.counts.get("dropped", 0))


class Observer(Node):
    """Receives the results of both nodes."""

    def __init__(self) -> None:
        super().__init__("observer")
        self.loads = {name: Load() for name in NODES}
        self.begin = time.monotonic()
        self.create_subscription(Detection2DArray, NODES["signs"], self._on_detections, 10)
        newest = qos_profile(topics.NEWEST_RELIABLE)
        self.create_subscription(Image, NODES["segmentation"], self._on_mask, newest)
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    def restart(self) -> None:
        """Forget the results so far; the time counts from now."""
        self.begin = time.monotonic()
        for load in self.loads.values():
            load.restart()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.begin

    def _on_detections(self, message: Detection2DArray) -> None:
        self._arrived("signs", message)
        self.loads["signs"].signs += sum(bool(detection.results) for detection in message.detections)

    def _on_mask(self, message: Image) -> None:
        self._arrived("segmentation", message)

    def _arrived(self, name: str, message: Detection2DArray | Image) -> None:
        age_ms = (time.time_ns() - topics.stamp_ns(message)) / 1e6
        self.loads[name].ages.append((self.seconds, age_ms))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.partition(":")[0]
            if name in self.loads:
                self.loads[name].counts = {value.key: value.value for value in status.values}


def load(
    minutes: float,
    size_hw: tuple[int, int],
    *,
    signs: bool,
    folder: Path,
    together: bool = False,
    jpeg: bool = False,
    models: Mapping[str, str] = SHIPPED,
) -> tuple[str, dict[str, Load]]:
    """Run both nodes under load; gives the camera's last words, and what became of each node.

    Args:
        minutes: how long.
        size_hw: of the camera.
        signs: in view.
        folder: for the logs.
        together: the nodes share a process.
        jpeg: the camera sends CompressedImage.
        models: other models than the usual ones by node, as the parameter ``model`` names them.
    """
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> Child:
            child = Child.start(name, arguments, environment=os.environ, log=folder / f"{name}.log")
            stack.callback(child.stop)
            return child

        nodes = _nodes(start, together=together, jpeg=jpeg, models=models)
        observer = stack.enter_context(started(Observer))
        height, width = size_hw
        view = [word for word, given in (("--signs", signs), ("--jpeg", jpeg)) if given]
        camera = start("camera", "scripts.camera", f"{width}x{height}", *view)
        spin = partial(_spin, observer, camera, nodes)
        spin(START_S, until_answered=True)
        spin(SETTLE_S)
        observer.restart()
        spin(minutes * MINUTE_S)
        camera.stop()
        # On a machine that is busy enough, it is killed before it has said so.
        sent = camera.log.read_text().strip().splitlines() or ["the camera did not say what it sent"]
        return sent[-1], observer.loads


def _nodes(
    start: Callable[..., Child], *, together: bool, jpeg: bool, models: Mapping[str, str]
) -> dict[str, Child]:
    """The process of each node; of both the same, if they are together."""
    given = ["--ros-args", "-p", f"image_transport:={'compressed' if jpeg else 'raw'}"]
    own = {name: ["-p", f"{name}:model:={model}"] for name, model in models.items()}
    if together:
        return dict.fromkeys(NODES, start("stack", "perception.nodes.stack", *given, *chain(*own.values())))
    return {name: start(name, f"perception.nodes.{name}", *given, *own.get(name, [])) for name in NODES}


def _spin(
    observer: Observer,
    camera: Child,
    nodes: Mapping[str, Child],
    seconds: float,
    *,
    until_answered: bool = False,
) -> None:
    """Receive results for so long, or until each node has answered once, and look at the memory meanwhile.

    A process that ends, or a node that does not answer at all, ends this one.
    """
    end, next_s = time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        silent = [name for name, one in observer.loads.items() if not one.ages]
        if until_answered and not silent:
            return
        rclpy.spin_once(observer, timeout_sec=0.1)
        if observer.seconds >= next_s:
            next_s = observer.seconds + 1.0
            for name, child in nodes.items():
                observer.loads[name].resident.append((observer.seconds, resident(child)))
        for child in (camera, *nodes.values()):
            if child.code is not None:
                sys.exit(f"{child.name} ended with exit code {child.code}\n{child.last_lines()}")
    if until_answered:
        sys.exit(f"{', '.join(silent)}: no answer in {seconds:g} s\n{nodes[silent[0]].last_lines()}")


def percentile(values: list[float], share: float) -> float | None:
    """None of no values."""
    return float(np.percentile(values, share)) if values else None


def resident(child: Child) -> int:
    """Bytes of a process in memory."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.load", description="Both nodes on two cores under a camera of 60 Hz."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of each run (default: 10)")
    parser.add_argument("--size", type=size, default="640x480", help="of the camera (default: 640x480)")
    parser.add_argument(
        "--signs",
        type=int,
        choices=(0, 1),
        nargs="+",
        default=(1, 0),
        help="in view: 1 with, 0 without (default: 1 0)",
    )
    parser.add_argument("--together", action="store_true", help="both nodes in one process")
    parser.add_argument("--jpeg", action="store_true", help="the camera sends JPEG")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ.update(isolation(folder))
        for signs in options.signs:
            how = {"together": options.together, "jpeg": options.jpeg}
            sent, loads = load(options.minutes, options.size, signs=bool(signs), folder=folder, **how)
            figures = [one.figures(options.minutes * MINUTE_S) for one in loads.values()]
            height, width = options.size
            kind, view = "JPEG" if options.jpeg else "bgr8", "signs" if signs else "no signs"
            what = f"{width}x{height} {kind}, {options.minutes:g} minutes, {view} in view"
            Console().print(f"{what}; {sent}", highlight=False)
            Console().print(tables.numbers(("", *NODES), list(zip(FIGURES, *figures))))


if __name__ == "__main__":
    main()
