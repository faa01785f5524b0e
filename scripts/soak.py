"""Run the demo's graph while things go wrong: is every fault survived, and does anything grow?

    python -m scripts.soak --minutes 10

A player as the camera, and both nodes with the shipped models, are processes. Every few seconds one of
``scripts.faults`` happens, drawn by the seed. After each, both nodes have to answer again. At the end, both
get SIGTERM while they are busy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node
from rich.console import Console
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from perception import topics
from perception.demo.child import Child
from perception.demo.demo import isolation
from perception.demo.recorder import IMAGE
from perception.nodes.messages import qos_profile
from perception.nodes.middleware import started
from perception.paths import shared
from perception.recordings.bag import BagReader
from perception.report import tables
from scripts.faults import FAULTS, compressed

NODES = {"signs": "signs/detections", "segmentation": "segmentation/mask"}
START_S = 120.0
PATIENCE_S = 60.0  # until both nodes answer again, or a node has ended
ANSWERS = 3  # of each node, until it counts as recovered
QUIET_S = 3.0  # between two faults
COUNTS = ("frames_in", "processed", "dropped", "bad", "errors")
HELD = ("memory, MB", "threads", "handles")


class SoakError(Exception):
    """A fault was not survived."""


class Observer(Node):
    """Counts the answers of both nodes, and keeps what they say of themselves."""

    def __init__(self) -> None:
        super().__init__("observer")
        self.answers: dict[str, int] = defaultdict(int)
        self.said: dict[str, dict[str, str]] = defaultdict(dict)
        self.create_subscription(Detection2DArray, NODES["signs"], lambda _: self._count("signs"), 10)
        newest = qos_profile(topics.NEWEST_RELIABLE)
        self.create_subscription(Image, NODES["segmentation"], lambda _: self._count("segmentation"), newest)
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    def _count(self, name: str) -> None:
        self.answers[name] += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.said[status.name.partition(":")[0]] = {value.key: value.value for value in status.values}


class Graph:
    """The player, both nodes and the observer; use it with ``with``.

    Args:
        folder: for copies of the models, which faults may damage, and for logs.

    Attributes:
        models: the copies.
        nodes: name → process.
        player: the camera's process.
        observer: this process's node.
        jpeg: one of the player's frames.
        held: name → what HELD names, once for each round.
    """

    stale_after_s = 3.0

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self.models = [Path(shutil.copy(path, folder)) for path in sorted(shared("models").glob("*.onnx"))]
        self.held: dict[str, list[tuple[float, int, int]]] = {name: [] for name in NODES}
        with BagReader(shared("demo/street")) as bag:
            self.jpeg = next(bytes(message.data) for _, _, message in bag.messages([IMAGE]))

    def __enter__(self) -> Graph:
        given = (
            f"model:={self._folder}",
            f"stale_after:={self.stale_after_s}",
            "image_transport:=compressed",
        )
        parameters = [word for one in given for word in ("-p", one)]
        remapped = ("-r", f"image_raw/compressed:={IMAGE}")
        detector = ("-p", f"detector:={self._folder}")
        self.nodes = {
            name: self._start(
                name,
                f"perception.nodes.{name}",
                "--ros-args",
                *parameters,
                *remapped,
                *(detector if name == "signs" else ()),
            )
            for name in NODES
        }
        self.observer = self._stack.enter_context(started(Observer))
        self._camera = self.observer.create_publisher(CompressedImage, IMAGE, qos_profile(topics.RELIABLE))
        self._turns = {
            name: self.observer.create_client(ChangeState, f"/{name}/change_state") for name in NODES
        }
        self.start_player()
        self.recover(START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start_player(self) -> None:
        """Start the camera, or start it again."""
        bag = str(shared("demo/street"))
        self.player = self._start("player", "perception", "play", bag, "--topics", IMAGE, "--loop")

    def send(self, data: bytes, stamp_ns: int) -> None:
        """Publish a frame of one's own beside those of the player."""
        self._camera.publish(compressed(data, stamp_ns))

    def now_ns(self) -> int:
        """The time as a stamp."""
        return int(self.observer.get_clock().now().nanoseconds)

    def turn(self, name: str, transition: int) -> None:
        """Ask a node for a transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        future = self._turns[name].call_async(request)
        rclpy.spin_until_future_complete(self.observer, future, timeout_sec=PATIENCE_S)
        if not future.done() or not future.result().success:
            raise SoakError(f"{name} refused transition {transition}\n{self.nodes[name].last_lines()}")

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self.observer, timeout_sec=left)
            for child in self.nodes.values():
                if child.code is not None:
                    raise SoakError(f"{child.name} ended with exit code {child.code}\n{child.last_lines()}")

    def recover(self, patience_s: float) -> float:
        """Wait until both nodes answer; gives the seconds that it took.

        Raises:
            SoakError: they do not, or one of them or the player has ended.
        """
        begin, before = time.monotonic(), dict(self.observer.answers)
        while time.monotonic() - begin < patience_s:
            self.spin(0.1)
            if self.player.code is not None:
                raise SoakError(f"the player ended\n{self.player.last_lines()}")
            fresh = [self.observer.answers[name] - before.get(name, 0) for name in NODES]
            if min(fresh) >= ANSWERS:
                return time.monotonic() - begin
        late = "\n".join(child.last_lines() for child in (self.player, *self.nodes.values()))
        raise SoakError(f"not both nodes answered within {patience_s:g} s: {fresh}\n{late}")

    def measure(self) -> None:
        """Note what each node holds now."""
        for name, child in self.nodes.items():
            self.held[name].append(held(child.process.pid))

    def end(self) -> dict[str, tuple[int, float]]:
        """Send SIGTERM to both nodes while they are busy; gives exit code and seconds of each."""
        ended = {}
        for name, child in self.nodes.items():
            begin = time.monotonic()
            child.process.send_signal(signal.SIGTERM)
            ended[name] = (child.process.wait(timeout=PATIENCE_S), time.monotonic() - begin)
        return ended

    def _start(self, name: str, *arguments: str) -> Child:
        child = Child.start(name, arguments, environment=os.environ, log=self._folder / f"{name}.log")
        self._stack.callback(child.stop)
        return child


def held(pid: int) -> tuple[float, int, int]:
    """What HELD names, of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    memory = int(status["VmRSS"].split()[0]) * 1024 / 1e6
    return memory, int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


def soak(
    graph: Graph, minutes: float, rng: np.random.Generator, patience_s: float, out: Console
) -> dict[str, list[float]]:
    """Let faults happen until the time is over; gives the seconds until both nodes answered after each."""
    took: dict[str, list[float]] = defaultdict(list)
    end = time.monotonic() + minutes * 60
    rounds: list[Any] = []
    while time.monotonic() < end:
        rounds = rounds or list(rng.permutation(len(FAULTS)))  # each once, in another order every time
        fault = FAULTS[rounds.pop()]
        begin = time.strftime("%H:%M:%S")
        fault(graph, rng)
        took[fault.__name__].append(graph.recover(patience_s))
        graph.measure()
        memory = ", ".join(f"{name} {graph.held[name][-1][0]:.0f} MB" for name in NODES)
        out.print(f"{begin} {fault.__name__}; {memory}", highlight=False)
        graph.spin(QUIET_S)
    return took


def show(
    graph: Graph, took: dict[str, list[float]], ended: dict[str, tuple[int, float]], out: Console
) -> None:
    """Print what happened."""
    rows = [(name, len(all_s), max(all_s)) for name, all_s in sorted(took.items())]
    out.print(tables.numbers(("fault", "times", "slowest recovery, s"), rows))
    said = graph.observer.said
    counts = [(count, *(int(said[name].get(count, 0)) for name in NODES)) for count in COUNTS]
    counts.append(("answers received here", *(graph.observer.answers[name] for name in NODES)))
    # A node keeps the memory of its largest frame, and that has come once a third is over.
    third = sum(row[1] for row in rows) // 3
    times = (("early", slice(0, 5)), ("after a third", slice(third, third + 5)), ("late", slice(-5, None)))
    for index, what in enumerate(HELD):
        for when, part in times:
            values = [np.median([one[index] for one in graph.held[name][part]]) for name in NODES]
            counts.append((f"{what}, {when}", *map(float, values)))
    counts.append(("exit code after SIGTERM", *(ended[name][0] for name in NODES)))
    counts.append(("seconds from SIGTERM to the end", *(ended[name][1] for name in NODES)))
    out.print(tables.numbers(("", *NODES), counts))


def main() -> int:
    """Soak and print; 1 if a fault was not survived."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.soak", description="The demo's graph under faults."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of the faults (default: 0)")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_S,
        help=f"seconds until both nodes answer after a fault (default: {PATIENCE_S:g})",
    )
    options = parser.parse_args()
    out = Console()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ.update(isolation(folder))
        try:
            with Graph(folder) as graph:
                rng = np.random.default_rng(options.seed)
                took = soak(graph, options.minutes, rng, options.patience, out)
                ended = graph.end()
                show(graph, took, ended, out)
        except SoakError as error:
            out.print(str(error), markup=False, highlight=False)
            return 1
    load = os.getloadavg()[1]
    out.print(
        f"{options.minutes:g} minutes, seed {options.seed}; the machine's load was {load:.1f}",
        highlight=False,
    )
    return int(any(code for code, _ in ended.values()))


if __name__ == "__main__":
    sys.exit(main())
