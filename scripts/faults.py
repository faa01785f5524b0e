"""Faults for the soak test: each goes wrong on purpose, and puts everything back where it was."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import Image

from perception import topics
from perception.nodes.messages import make, qos_profile

SHARED = Path("/dev/shm")
PAUSE_S = 2.0
CHANGED = 20  # frames of each fault that alters frames
APART_S = 0.05
SIZES = ((120, 160), (240, 320), (480, 640), (800, 1360), (33, 77))
CYCLE = (
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
)


def camera_killed(graph: Any, rng: np.random.Generator) -> None:
    """The camera's process is killed, and started again later."""
    maps = Path(f"/proc/{graph.player.process.pid}/maps").read_text().split()
    graph.player.process.kill()
    graph.player.process.wait()
    # Nobody else knows the memory that it alone had written to.
    for name in {word for word in maps if word.startswith(f"{SHARED}/fastrtps_")}:
        if not _is_mapped(name):
            Path(name).unlink(missing_ok=True)
    graph.spin(PAUSE_S * (1 + rng.random()))
    graph.start_player()


def camera_silent(graph: Any, rng: np.random.Generator) -> None:
    """The camera's process stops for longer than stale_after, and goes on."""
    graph.player.process.send_signal(signal.SIGSTOP)
    graph.spin(graph.stale_after_s + PAUSE_S)
    graph.player.process.send_signal(signal.SIGCONT)


def broken_frames(graph: Any, rng: np.random.Generator) -> None:
    """Files in which bytes are others or missing, between the camera's own."""
    whole = graph.jpeg
    for _ in range(CHANGED):
        data = bytearray(whole[: int(rng.integers(len(whole)))] if rng.random() < 0.5 else whole)
        for at in rng.integers(0, max(1, len(data)), 8):
            data[at : at + 1] = rng.bytes(1)
        graph.send(bytes(data), graph.now_ns())
        graph.spin(APART_S)


def other_sizes(graph: Any, rng: np.random.Generator) -> None:
    """Good frames of other sizes and file types, between the camera's own."""
    picture = cv2.imdecode(np.frombuffer(graph.jpeg, np.uint8), cv2.IMREAD_COLOR)
    for _ in range(CHANGED):
        height, width = SIZES[rng.integers(len(SIZES))]
        suffix = (".jpg", ".png", ".webp")[rng.integers(3)]
        frame = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        graph.send(cv2.imencode(suffix, frame)[1].tobytes(), graph.now_ns())
        graph.spin(APART_S)


def time_jumps(graph: Any, rng: np.random.Generator) -> None:
    """Good frames with stamps of other hours, and of none."""
    for _ in range(CHANGED):
        hours = int(rng.integers(-48, 49))
        graph.send(graph.jpeg, graph.now_ns() + hours * 3600 * 10**9 if hours else 0)
        graph.spin(APART_S)


def model_file_cut(graph: Any, rng: np.random.Generator) -> None:
    """A model file that is in use is cut in its place, then written anew."""
    path = graph.models[rng.integers(len(graph.models))]
    kept = path.with_suffix(".kept")
    shutil.copy(path, kept)
    os.truncate(path, int(rng.integers(path.stat().st_size)))
    graph.spin(PAUSE_S)
    kept.replace(path)


def lifecycle_round(graph: Any, rng: np.random.Generator) -> None:
    """A node goes once round its lifecycle, and loads its models anew."""
    name = list(graph.nodes)[rng.integers(len(graph.nodes))]
    for transition in CYCLE:
        graph.turn(name, transition)


def wrong_qos(graph: Any, rng: np.random.Generator) -> None:
    """Somebody subscribes to a best-effort topic reliably, and leaves."""
    reliable = qos_profile(topics.RELIABLE)
    subscription = graph.observer.create_subscription(Image, "segmentation/confidence", print, reliable)
    graph.spin(PAUSE_S)
    graph.observer.destroy_subscription(subscription)


def full_disk(graph: Any, rng: np.random.Generator) -> None:
    """A node can write no byte more, as on a full disk."""
    pid = list(graph.nodes.values())[rng.integers(len(graph.nodes))].process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    graph.spin(PAUSE_S)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


FAULTS: tuple[Callable[[Any, np.random.Generator], None], ...] = (
    camera_killed,
    camera_silent,
    broken_frames,
    other_sizes,
    time_jumps,
    model_file_cut,
    lifecycle_round,
    wrong_qos,
    full_disk,
)


def compressed(data: bytes, stamp_ns: int) -> Any:
    """A CompressedImage of a file's bytes."""
    seconds, rest = divmod(stamp_ns, 10**9)
    stamp = make("builtin_interfaces/msg/Time", sec=int(seconds), nanosec=int(rest))
    header = make("std_msgs/msg/Header", stamp=stamp, frame_id="front")
    return make(topics.COMPRESSED_IMAGE, header=header, format="", data=np.frombuffer(data, np.uint8))


def _is_mapped(name: str) -> bool:
    for process in Path("/proc").glob("[0-9]*/maps"):
        try:
            if name in process.read_text():
                return True
        except OSError:  # it has ended, or is another user's
            continue
    return False
