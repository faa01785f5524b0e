"""Outlet: a publisher that knows what its reliable subscribers have acknowledged."""

from __future__ import annotations

import time

from rclpy.duration import Duration
from rclpy.publisher import Publisher

# Fast DDS asks for acknowledgements every 3 s, and at once while its history is full.
PATIENCE_S = 6.0
_SLICE_S = 0.1  # Ctrl-C is heard between two of them
_NOW = Duration(nanoseconds=0)


class Outlet:
    """A topic to publish on.

    A message that nobody has acknowledged yet can be sent again, as long as it is in the publisher's
    history. So an outlet waits before a message would leave the history too early.

    Args:
        publisher: takes serialized messages.
        depth: length of its history.

    Attributes:
        publisher: the publisher.
        missed: messages that left the history before every reliable subscriber had acknowledged them.
    """

    def __init__(self, publisher: Publisher, depth: int) -> None:
        self.publisher = publisher
        self.missed = 0
        self._depth = depth
        self._open = 0  # published since all were acknowledged
        self._is_stuck = False

    def publish(self, data: bytes) -> float:
        """Publish a message; gives the seconds that this had to wait for acknowledgements."""
        begin = time.monotonic()
        if self.publisher.wait_for_all_acked(_NOW):
            self._settled()
        # A subscriber that hangs holds the others up once, and not at each message.
        elif self._open >= self._depth and (self._is_stuck or not self.acknowledged(PATIENCE_S)):
            self._is_stuck = True
            self.missed += 1
            self._open -= 1
        waited = time.monotonic() - begin
        self.publisher.publish(data)
        self._open += 1
        return waited

    def acknowledged(self, patience_s: float) -> bool:
        """Wait until reliable subscribers have acknowledged everything; False if the time is over first."""
        end = time.monotonic() + patience_s
        while not self.publisher.wait_for_all_acked(Duration(seconds=_SLICE_S)):
            if time.monotonic() > end:
                return False
        self._settled()
        return True

    @property
    def unacknowledged(self) -> int:
        """Messages that a reliable subscriber missed, or has not acknowledged so far."""
        return self.missed + self._open

    def _settled(self) -> None:
        self._open = 0
        self._is_stuck = False
