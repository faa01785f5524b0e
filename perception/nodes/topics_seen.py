"""What is seen of the cameras' topics: publishers, rate, size, encoding and stamps. The doctor judges it."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import Any

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from perception import frames, topics
from perception.doctor.topics import Arrival, Offer, Seen, Surroundings
from perception.errors import FrameError
from perception.nodes.messages import message_class
from perception.nodes.middleware import started
from perception.nodes.serialized import Message, subscribe
from perception.tasks import shipped

_DEPTH = 30  # a second of a camera, while this process is held up
_LOOK_S = 0.5  # between two looks for new topics
_OWN = ("/rosout", "/parameter_events")
_PICTURES = (topics.IMAGE, topics.COMPRESSED_IMAGE)


def look(seconds: float) -> tuple[list[Seen], Surroundings]:
    """Listen to all topics with pictures, but not to the nodes' own masks and overlays.

    Args:
        seconds: how long, from when the first of them turned up; as long again is waited for one.

    Raises:
        PerceptionError: ROS 2 cannot start here.
    """
    with started(_Looker) as node:
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        begin = look_at = time.monotonic()
        end = begin + seconds
        while (now := time.monotonic()) < end:
            if now >= look_at:
                look_at = now + _LOOK_S
                had = bool(node.heard)
                node.look()
                if node.heard and not had:
                    end = time.monotonic() + seconds
            executor.spin_once(timeout_sec=0.1)
        return node.seen(), node.surroundings()


@dataclass
class _Heard:
    """What has come on one topic.

    Attributes:
        kind: the type that it is listened to as.
        since_s: from when on, by the monotonic clock.
        arrivals: the messages so far.
        last: the last one, serialized.
    """

    kind: str
    since_s: float
    arrivals: list[Arrival] = field(default_factory=list)
    last: bytes = b""

    def take(self, message: Message) -> None:
        """Take in a message."""
        received_ns = message.received_ns or time.time_ns()
        self.arrivals.append(Arrival(received_ns, _stamp_ns(message.data), len(message.data), message.number))
        self.last = message.data


class _Looker(Node):
    """Subscribes to cameras as they turn up.

    Attributes:
        heard: topic → what has come on it.
    """

    def __init__(self) -> None:
        super().__init__("doctor")
        self.heard: dict[str, _Heard] = {}

    def look(self) -> None:
        """Subscribe to the cameras that are new, reliably if all their publishers offer that."""
        for name, kinds in self.get_topic_names_and_types():
            kind = next((kind for kind in kinds if kind in _PICTURES), "")
            offered = self._offers(name)
            if not kind or not offered or name in self.heard or name.endswith(_results()):
                continue
            heard = self.heard[name] = _Heard(kind, time.monotonic())
            qos = topics.Qos(_DEPTH, reliable=all(offer.reliable for offer in offered))
            subscribe(self, name, kind, qos, heard.take)

    def seen(self) -> list[Seen]:
        """What was seen of each camera topic, by name."""
        return [self._seen(name, heard) for name, heard in sorted(self.heard.items())]

    def surroundings(self) -> Surroundings:
        """What else is published."""
        others = [
            (name, kinds[0])
            for name, kinds in self.get_topic_names_and_types()
            if name not in self.heard and name not in _OWN and self.count_publishers(name)
        ]
        has_clock = self.count_publishers("/clock") > 0
        return Surroundings(tuple(others), has_clock, time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def _offers(self, name: str) -> tuple[Offer, ...]:
        return tuple(
            Offer(
                info.node_name,
                info.topic_type,
                info.qos_profile.reliability == ReliabilityPolicy.RELIABLE,
                info.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
            )
            for info in self.get_publishers_info_by_topic(name)
        )

    def _seen(self, name: str, heard: _Heard) -> Seen:
        size_hw, encoding, problem = _read(heard.kind, heard.last) if heard.last else (None, "", "")
        seconds = time.monotonic() - heard.since_s
        arrivals = tuple(heard.arrivals)
        return Seen(name, self._offers(name), arrivals, seconds, size_hw, encoding, problem)


def _read(kind: str, data: bytes) -> tuple[tuple[int, int] | None, str, str]:
    """Read a frame as the nodes do: its size, its encoding, and what was wrong."""
    try:
        message: Any = deserialize_message(data, message_class(kind))
    except Exception as error:  # rclpy raises its own RMWError, and others from generated code
        return None, "", f"its bytes are no {kind}: {error}; is the driver of another ROS?"
    encoding = str(message.encoding if kind == topics.IMAGE else message.format)
    try:
        frame = frames.from_image(message) if kind == topics.IMAGE else frames.from_compressed(message)
    except FrameError as error:
        return None, encoding, str(error)
    height, width = frame.shape[:2]
    return (height, width), encoding, ""


def _stamp_ns(data: bytes) -> int:
    """The stamp of a serialized message that begins with a header; CDR's second byte says its order."""
    if len(data) < 12:
        return 0
    seconds, nanoseconds = struct.unpack("<iI" if data[1] & 1 else ">iI", data[4:12])
    return int(seconds * 1_000_000_000 + nanoseconds)


def _results() -> tuple[str, ...]:
    results = [topic.name for task in shipped() for topic in topics.of_task(task).results]
    return tuple(f"/{name}" for name in [*results, *map(topics.overlay_name, shipped())])
