"""Recorder: keeps what the camera and the nodes publish, with the times at which DDS sent and received it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from perception import topics
from perception.nodes.serialized import Message, subscribe
from perception.tasks import shipped

_CAMERA = "/camera"
IMAGE, ROIS = f"{_CAMERA}/{topics.CAMERA['compressed'][1]}", f"{_CAMERA}/{topics.ROIS}"
_RESULTS = {f"/{topic.name}": topic for task in shipped() for topic in topics.of_task(task).results}
RESULTS = tuple(_RESULTS)
EVENTS = tuple(name for name, topic in _RESULTS.items() if topic.events)  # nothing may happen
LABELS = tuple(f"/{topics.label_info_name(task)}" for task in shipped())
TOPICS = {
    IMAGE: topics.COMPRESSED_IMAGE,
    ROIS: topics.DETECTIONS,
    **{name: topic.kind for name, topic in _RESULTS.items()},
    **dict.fromkeys(LABELS, topics.LABEL_INFO),
    topics.DIAGNOSTICS: topics.DIAGNOSTIC_ARRAY,
}  # topic: type of its messages


class Recorder(Node):
    """Subscribes to all of TOPICS and keeps the messages in memory."""

    def __init__(self) -> None:
        super().__init__("recorder")
        self.messages: list[Message] = []
        self._counts: Counter[str] = Counter()
        self._last_result = time.monotonic()
        for topic, kind in TOPICS.items():
            subscribe(self, topic, kind, _qos(topic), self._take)

    @property
    def quiet_s(self) -> float:
        """Seconds since the last result."""
        return time.monotonic() - self._last_result

    def has(self, *topics: str) -> bool:
        """Whether something came on each of the topics."""
        return all(self._counts[topic] for topic in topics)

    def _take(self, message: Message) -> None:
        self.messages.append(message)
        self._counts[message.topic] += 1
        if message.topic in RESULTS:
            self._last_result = time.monotonic()


@dataclass(frozen=True)
class Traffic:
    """What came on one topic.

    Attributes:
        count: messages.
        rate_hz: None for less than two messages.
        latency_ms: p50, p95, p99 of the time from an image's publishing to the arrival of the result
            that carries its stamp; None for topics without results.
    """

    count: int
    rate_hz: float | None
    latency_ms: tuple[float, float, float] | None


def traffic(messages: Sequence[Message]) -> dict[str, Traffic]:
    """Count and time messages by topic; every topic but those of events must have some."""
    published = {message.stamp: message.sent_ns for message in messages if message.topic == IMAGE}
    by_topic = {}
    for topic in TOPICS:
        arrived = [message for message in messages if message.topic == topic]
        if not arrived:
            by_topic[topic] = Traffic(0, None, None)
            continue
        seconds = (arrived[-1].received_ns - arrived[0].received_ns) / 1e9
        latency = None
        if topic in RESULTS:
            delays = [(m.received_ns - published[m.stamp]) / 1e6 for m in arrived if m.stamp in published]
            if delays:
                p50, p95, p99 = np.percentile(delays, (50, 95, 99)).tolist()
                latency = (p50, p95, p99)
        by_topic[topic] = Traffic(
            len(arrived), (len(arrived) - 1) / seconds if seconds > 0 else None, latency
        )
    return by_topic


def _qos(topic: str) -> topics.Qos:
    if TOPICS[topic] in (topics.IMAGE, topics.COMPRESSED_IMAGE):  # as Nav2 and others subscribe to pictures
        return topics.Qos(depth=20, reliable=False)
    return topics.Qos(depth=256, latched=topic in LABELS)
