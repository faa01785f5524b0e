"""Record: what cameras publish, into one MCAP file, for machines without rosbag2.

topics ─► subscriptions ─► tape (a thread) ─► drive.mcap
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rich.console import Console

from perception import topics
from perception.errors import InputError
from perception.nodes.messages import message_class
from perception.nodes.middleware import started
from perception.nodes.serialized import Message, subscribe
from perception.recordings.bag import typestore
from perception.recordings.results import stored
from perception.recordings.tape import Ended, Recorded, Tape
from perception.tasks import shipped

_CAMERA = (topics.IMAGE, topics.COMPRESSED_IMAGE, topics.CAMERA_INFO)
_DEPTH = 30  # a second of a camera, while this process is held up
_LOOK_S = 0.5  # between two looks for new topics
_SPARE_BYTES = 200_000_000  # of the disk, because a full one stops other programs, too
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def record(
    path: Path,
    *,
    names: Sequence[str] | None = None,
    seconds: float | None = None,
    size_bytes: int | None = None,
    wait_s: float = 10.0,
    console: Console,
) -> Recorded:
    """Record until a limit is reached, or until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        path: the file to make; its name ends in .mcap.
        names: the topics; None takes all that cameras publish, also those that turn up later.
        seconds: end so long after the first message.
        size_bytes: end when the file is so large.
        wait_s: wait so long for a topic.
        console: for what is said meanwhile.

    Returns:
        What was recorded. The file is whole.

    Raises:
        InputError: no topic turned up, no message came, or one of the topics cannot be recorded.
        PerceptionError: ROS 2 cannot start here.
        OSError: the file cannot be written.
    """
    with _stopping() as stopped, Tape(path, limit_bytes=size_bytes) as tape:
        if (free := _free_bytes(path)) < _SPARE_BYTES:
            raise InputError(
                f"{path.absolute().parent}: {_mb(free)} are free; {_mb(_SPARE_BYTES)} have to stay"
            )
        with started(lambda: _Recorder(tape, names, console)) as node:
            ended = _spin(node, tape, stopped, seconds, wait_s)
    if not path.exists():
        on = ", ".join(node.lost) or "any topic"
        raise InputError(f"{path}: not written, because no message came on {on} that can be read")
    lost = {name: gaps.lost for name, gaps in node.lost.items()}
    return Recorded(path, tape.size_bytes, ended, tape.tallies, lost)


def _spin(node: _Recorder, tape: Tape, stopped: list[int], seconds: float | None, wait_s: float) -> Ended:
    """Take messages until something ends it."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    begin = look_at = time.monotonic()
    with node.console.status("waiting for a camera") as status:
        while True:
            if (now := time.monotonic()) >= look_at:
                look_at = now + _LOOK_S
                node.look()
                if not node.found and now - begin > wait_s:
                    raise InputError(f"no {node.wanted} after {wait_s:g} s (--wait); {node.there()}")
                if now - begin > wait_s:
                    node.name_missing()
                if _free_bytes(tape.path) < _SPARE_BYTES:
                    return "disk"
                if node.first_s is not None:
                    status.update(f"{now - node.first_s:.0f} s, {_mb(tape.size_bytes)}; Ctrl-C ends it")
            executor.spin_once(timeout_sec=0.1)
            if stopped or tape.problem:  # the tape raises its problem when it is closed
                return "signal"
            if tape.is_full:
                return "size"
            if (
                seconds is not None
                and node.first_s is not None
                and time.monotonic() - node.first_s >= seconds
            ):
                return "time"


@contextmanager
def _stopping() -> Iterator[list[int]]:
    """Within it, a signal only adds its number to a list, so that no message is cut in two."""
    stopped: list[int] = []
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        # nohup means it; but a shell lets all that its scripts begin with & ignore SIGINT.
        if number != signal.SIGHUP or handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: stopped.append(number))
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Gaps:
    """What was lost on the way, by the numbers that a publisher gives its messages.

    Attributes:
        lost: messages between others; None if nobody can say.
    """

    lost: int | None = 0
    _last: int | None = None

    def add(self, number: int | None, publishers: int) -> None:
        """Take in a message's number, and how many publishers the topic has."""
        if number is None or publishers > 1:  # they number theirs each by itself
            self.lost = None
        if self.lost is None or number is None:
            return
        if self._last is not None and number > self._last:
            self.lost += number - self._last - 1
        self._last = number  # a smaller one: the camera was started anew


class _Recorder(Node):
    """Subscribes to topics as they turn up.

    Args:
        tape: takes the messages.
        names: the topics; None takes all that cameras publish.
        console: for what is said meanwhile.

    Attributes:
        console: the same.
        lost: topic → what was lost on the way, for each that is recorded.
        first_s: when the first message came, by the monotonic clock.
    """

    def __init__(self, tape: Tape, names: Sequence[str] | None, console: Console) -> None:
        super().__init__("recorder")
        self.console = console
        self.lost: dict[str, _Gaps] = {}
        self.first_s: float | None = None
        self._tape = tape
        self._names = None if names is None else [f"/{name.lstrip('/')}" for name in names]
        self._publishers: dict[str, int] = {}
        self._has_named = False

    @property
    def wanted(self) -> str:
        """What is looked for."""
        return "image topic" if self._names is None else ", ".join(self._names)

    @property
    def found(self) -> bool:
        """Whether a topic with pictures is there, or one of those that are asked for."""
        kinds = dict(self.get_topic_names_and_types())
        return any(self._names is not None or kinds.get(name) != [topics.CAMERA_INFO] for name in self.lost)

    def there(self) -> str:
        """What is there instead, for an error."""
        names = ", ".join(f"{name} ({kind})" for name, kind in self._published())
        return f"there are: {names}" if names else "there is no other, either; is ROS_DOMAIN_ID right?"

    def name_missing(self) -> None:
        """Say once which of the topics that are asked for nobody publishes."""
        missing = [name for name in self._names or () if name not in self.lost]
        if missing and not self._has_named:
            self.console.print(f"not there so far: {', '.join(missing)}", markup=False, highlight=False)
        self._has_named = True

    def look(self) -> None:
        """Subscribe to the topics that are new."""
        for name, kind in self._published():
            self._publishers[name] = self.count_publishers(name)
            is_wanted = name in self._names if self._names is not None else _is_camera(name, kind)
            if is_wanted and name not in self.lost:
                self._subscribe(name, kind)

    def _published(self) -> list[tuple[str, str]]:
        return [
            (name, kinds[0])
            for name, kinds in self.get_topic_names_and_types()
            if self.get_publishers_info_by_topic(name) and name not in ("/rosout", "/parameter_events")
        ]

    def _subscribe(self, name: str, kind: str) -> None:
        if message_class(kind) is None or kind not in typestore().types:
            raise InputError(f"{name}: messages of {kind} cannot be recorded, because it is not installed")
        offered = [info.qos_profile for info in self.get_publishers_info_by_topic(name)]
        qos = topics.Qos(
            depth=_DEPTH,
            reliable=all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered),
            latched=all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered),
        )
        gaps = self.lost[name] = _Gaps()
        own = stored(topics.Qos(reliable=qos.reliable, latched=qos.latched))

        def take(message: Message) -> None:
            self.first_s = self.first_s or time.monotonic()
            gaps.add(message.number, self._publishers[name])
            self._tape.put(name, kind, message.data, message.received_ns or time.time_ns(), own)

        subscribe(self, name, kind, qos, take)
        self.console.print(f"{name} ({kind})", markup=False, highlight=False)


def _is_camera(name: str, kind: str) -> bool:
    """Whether a topic is a camera's: the nodes' own masks and overlays are images, too."""
    return kind in _CAMERA and not name.endswith(_own())


def _own() -> tuple[str, ...]:
    results = [topic.name for task in shipped() for topic in topics.of_task(task).results]
    return tuple(f"/{name}" for name in [*results, *map(topics.overlay_name, shipped())])


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path.absolute().parent).free


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
