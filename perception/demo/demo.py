"""Demo: both nodes as processes of their own, a bag played over DDS, all topics recorded and reported.

The nodes get the images only. The bag's boxes are recorded, too, because they say which signs there are.

    player ─► /camera/… ─► signs, segmentation ─► /signs/… /segmentation/… ─► recorder (this process)

Nothing leaves this machine: the demo has a DDS domain of its own, and discovery stays on the loopback device.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rich.console import Console

from perception import topics
from perception.demo.child import Child
from perception.demo.domain import own_domain
from perception.demo.recorder import (
    EVENTS,
    IMAGE,
    LABELS,
    ROIS,
    TOPICS,
    Recorder,
    Traffic,
    traffic,
)
from perception.engines import open_engine
from perception.errors import PerceptionError
from perception.nodes.middleware import FAST_DDS_PROFILES, fast_dds_profiles, started
from perception.nodes.serialized import Message
from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.recording import Recording, read_recording
from perception.report import tables
from perception.report.page import Report
from perception.tasks import TASKS, resolve

DETECTOR = "sign_detection"

_REMAP = f"{topics.CAMERA['compressed'][1]}:={IMAGE}"
_START_S = 900.0  # TensorRT may have to build its engines first; a node that ends is noticed at once
_QUIET_S = 1.3  # without a result for this long, all are here, and so are the last diagnostics (1 Hz)
_END_S = 30.0
_WAIT_S = "15"
_COLUMNS = ("topic", "messages", "Hz", "p50 ms", "p95 ms", "p99 ms")


class DemoError(PerceptionError):
    """A node died, the player failed, or a topic stayed empty."""


@dataclass(frozen=True)
class Outcome:
    """What the demo measured.

    Attributes:
        recording: what the recorded bag says.
        traffic: messages, rate and latency by topic.
        recorded: the bag.
        report: the page.
    """

    recording: Recording
    traffic: Mapping[str, Traffic]
    recorded: Path
    report: Path


def demo(bag: Path, out: Path, models: Mapping[str, Path], *, console: Console) -> Outcome:
    """Run the demo.

    Args:
        bag: has compressed images on IMAGE, and boxes with their true classes on ROIS.
        out: folder for the recording, the logs and report.html.
        models: task → model file, for every task with a node, which runs, and for the detector of signs.
        console: shows what the demo waits for.

    Raises:
        InputError: the bag cannot be read.
        ModelError: a model cannot be used.
        DemoError: a node died, the player failed, a topic stayed empty, or the folder holds a recording
            that is not of a demo.
    """
    with BagReader(bag) as reader:
        missing = [topic for topic in (IMAGE, ROIS) if topic not in reader.topics]
        if missing:
            raise DemoError(
                f"{bag}: no {' and no '.join(missing)}; it has {', '.join(sorted(reader.topics))}"
            )
        period_s = 1.0 / reader.rate_hz(IMAGE)
    # Opened here, because a bad model is easier to see on the terminal than in a node's log.
    specs = {task: open_engine(path, device="cpu").spec for task, path in models.items()}
    palettes = {task: spec.palette for task, spec in specs.items() if TASKS[task].topics}
    recorded, logs = out / "recording", out / "logs"
    _remove_own(recorded, logs, bag)
    messages = _record(bag, logs, models, console=console)
    with BagWriter(recorded) as writer:
        for message in messages:
            writer.write_raw(message.topic, TOPICS[message.topic], message.data, message.received_ns)
    recording = read_recording(recorded, image=IMAGE, rois=ROIS, palettes=palettes, period_s=period_s)
    seen = traffic(messages)
    return Outcome(recording, seen, recorded, _report(bag, recording, seen).save(out / "report.html"))


def show(outcome: Outcome, console: Console) -> None:
    """Print what the demo measured."""
    console.print(tables.numbers(_COLUMNS, _rows(outcome.traffic)))
    console.print(tables.stages(outcome.recording.stages()))
    for node, values in outcome.recording.nodes.items():
        counts = (
            f"{values[key]} {key}" for key in ("frames_in", "processed", "dropped", "bad") if key in values
        )
        console.print(f"{node}: {', '.join(counts)}", highlight=False)
    console.print(_agreement(outcome.recording), highlight=False, soft_wrap=True)
    paths = f"recording: {outcome.recorded}\nreport: {outcome.report}"
    console.print(paths, highlight=False, markup=False, soft_wrap=True)


def _remove_own(recorded: Path, logs: Path, bag: Path) -> None:
    """Remove the recording of an earlier demo.

    Raises:
        DemoError: it is not of a demo, or it is the bag to play.
    """
    if not recorded.exists():
        return
    is_ours = (logs / "player.log").exists() and (recorded / "metadata.yaml").exists()
    if not is_ours or recorded.resolve() in (bag.resolve(), *bag.resolve().parents):
        raise DemoError(f"{recorded} exists already; remove it, or name another folder with --out")
    shutil.rmtree(recorded)


def _record(bag: Path, logs: Path, models: Mapping[str, Path], *, console: Console) -> list[Message]:
    """Start everything, play the bag, stop everything."""
    logs.mkdir(parents=True, exist_ok=True)
    os.environ.update(isolation(logs))
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> Child:
            child = Child.start(name, arguments, environment=os.environ, log=logs / f"{name}.log")
            stack.callback(child.stop)
            return child

        nodes = [start(task, *_node_arguments(task, models)) for task in models if TASKS[task].node]
        tape = stack.enter_context(started(Recorder))
        with console.status("the nodes start"):
            # A node publishes its labels when it has become active.
            if not _spin(tape, nodes, lambda: tape.has(*LABELS), _START_S):
                late = "\n".join(node.last_lines() for node in nodes)
                raise DemoError(f"the nodes were not active after {_START_S:.0f} s\n{late}")
        # Each node and the recorder subscribe to the images.
        wait = ("--subscribers", str(len(nodes) + 1), "--wait", _WAIT_S)
        player = start("player", "perception", "play", str(bag), "--topics", IMAGE, ROIS, *wait)
        with console.status("the bag plays"):
            _spin(tape, nodes, lambda: player.code is not None, float("inf"))
            if player.code:
                raise DemoError(f"the player failed\n{player.last_lines()}")
            _spin(tape, nodes, lambda: tape.quiet_s > _QUIET_S, _END_S)
        for topic in TOPICS:
            if not tape.has(topic) and topic not in EVENTS:
                source = next((node for node in nodes if topic.startswith(f"/{node.name}/")), player)
                raise DemoError(f"nothing came on {topic}\n{source.last_lines()}")
        return tape.messages


def _spin(tape: Recorder, nodes: Sequence[Child], done: Callable[[], bool], limit_s: float) -> bool:
    """Record until something is done; False if the time is over first.

    Raises:
        DemoError: a node ended.
    """
    end = time.monotonic() + limit_s
    while not done():
        for node in nodes:
            if node.code is not None:
                raise DemoError(f"{node.name} ended with exit code {node.code}\n{node.last_lines()}")
        if time.monotonic() > end:
            return False
        rclpy.spin_once(tape, timeout_sec=0.1)
    return True


def _report(bag: Path, recording: Recording, seen: Mapping[str, Traffic]) -> Report:
    report = Report(
        f"Demo: {bag.name} over DDS", f"{recording.summary.good} frames · {_agreement(recording)}"
    )
    recording.summary.write(report)
    report.table(
        "Topics, and the time from an image's publishing to a result's arrival", _COLUMNS, _rows(seen)
    )
    stages = [(stage, *values) for stage, values in recording.stages().items()]
    report.table("Stages as the nodes measured them (ms)", ("stage", "p50", "p95", "p99"), stages)
    return report


def _rows(seen: Mapping[str, Traffic]) -> list[tuple[str | float | None, ...]]:
    return [
        (topic, traffic.count, traffic.rate_hz, *(traffic.latency_ms or (None, None, None)))
        for topic, traffic in seen.items()
    ]


def _agreement(recording: Recording) -> str:
    if not recording.boxes:
        return "signs: no box carried a true class"
    return (
        f"signs: {recording.found} of {recording.boxes} found, {recording.known} of them read, "
        f"{recording.right} right; {recording.elsewhere} read where the bag has no box"
    )


def _node_arguments(task: str, models: Mapping[str, Path]) -> list[str]:
    node = resolve(TASKS[task].node)
    given = {
        "model": str(models[task].resolve()),
        "detector": str(models[DETECTOR].resolve()),
        "image_transport": "compressed",
    }
    arguments = [node.__module__, "--ros-args"]
    for parameter in node.parameters:
        if parameter.name in given:
            arguments += ["-p", f"{parameter.name}:={given[parameter.name]}"]
    return [*arguments, "-r", _REMAP]


def isolation(logs: Path) -> dict[str, str]:
    """Environment for a DDS domain that no robot uses, within this machine, with room for masks."""
    local = {"ROS_DOMAIN_ID": str(own_domain()), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    # Humble knows only this older switch; newer releases warn about it.
    if os.environ.get("ROS_DISTRO") == "humble":
        local["ROS_LOCALHOST_ONLY"] = "1"
    local |= dict.fromkeys(FAST_DDS_PROFILES, fast_dds_profiles(os.environ | local))
    local["ROS_LOG_DIR"] = str(logs.resolve() / "ros")  # and not ~/.ros, which may not be writable
    return local
