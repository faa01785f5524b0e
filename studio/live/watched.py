"""Watched: a topic that somebody looks at, with its newest messages, each read only when it is wanted."""

from __future__ import annotations

import time
from collections import deque
from functools import cached_property
from typing import Any

from rclpy.serialization import deserialize_message

from perception import topics
from perception.nodes.messages import message_class
from studio.settings import StudioError

_RATED = 30  # messages over which a rate is taken


class Arrived:
    """One message.

    Attributes:
        number: how many have come on its topic with it.
        at: when it came, by the monotonic clock.
        clock: likewise, in seconds since 1970.
        made: what a room has made of it, so that two browsers cost no more than one.
    """

    def __init__(self, kind: str, data: bytes, number: int) -> None:
        self._kind, self._data = kind, data
        self.number = number
        self.at, self.clock = time.monotonic(), time.time()
        self.made: Any = None

    @cached_property
    def message(self) -> Any:
        """As rclpy has it.

        Raises:
            StudioError: its bytes do not fit its type.
        """
        try:
            return deserialize_message(self._data, message_class(self._kind))
        except Exception as error:  # rclpy raises its own RMWError, and others from generated code
            raise StudioError(f"its bytes are no {self._kind}: {error}") from error


class Watched:
    """A topic that somebody looks at.

    Args:
        topic: its name.
        kind: type of its messages.
        depth: how many messages are kept, the newest.

    Attributes:
        until: when the subscription ends, by the monotonic clock.
        subscription: of rclpy.
        qos: that it has.
    """

    def __init__(self, topic: str, kind: str, depth: int) -> None:
        self.topic, self.kind, self.depth = topic, kind, depth
        self.until = 0.0
        self.subscription: Any = None
        self.qos: topics.Qos | None = None
        self._messages: deque[Arrived] = deque(maxlen=depth)
        self._times: deque[float] = deque(maxlen=_RATED)
        self._count = 0

    def take(self, data: bytes) -> None:
        """A message came."""
        self._count += 1
        arrived = Arrived(self.kind, data, self._count)
        self._times.append(arrived.at)
        self._messages.append(arrived)

    @property
    def messages(self) -> list[Arrived]:
        """Those that are kept, the oldest first."""
        return list(self._messages)

    @property
    def newest(self) -> Arrived | None:
        """The last message; None if none has come."""
        return next(reversed(self.messages), None)

    @property
    def rate_hz(self) -> float:
        """Messages per second of late; 0 for less than two."""
        times = list(self._times)
        # Up to now, so that a topic on which nothing comes any more becomes slow and does not stay fast.
        seconds = max(times[-1], time.monotonic() - 1.0) - times[0] if len(times) > 1 else 0.0
        return (len(times) - 1) / seconds if seconds > 0 else 0.0
