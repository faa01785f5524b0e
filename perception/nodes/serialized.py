"""Serialized: messages as DDS delivers them, with its times, for whoever only keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.subscription import Subscription

from perception.nodes.messages import message_class, qos_profile
from perception.topics import Qos


class Message(NamedTuple):
    """One message as DDS delivered it, still serialized.

    Attributes:
        topic: its name.
        sent_ns: when it was published, ns since the epoch.
        received_ns: when it arrived here.
        data: CDR.
        number: how many its publisher has sent with it; None where DDS does not say.
    """

    topic: str
    sent_ns: int
    received_ns: int
    data: bytes
    number: int | None = None

    @property
    def stamp(self) -> bytes:
        """The header stamp, of types that begin with one: CDR puts 4 bytes before."""
        return self.data[4:12]


def subscribe(node: Node, topic: str, kind: str, qos: Qos, take: Callable[[Message], None]) -> None:
    """Give each message on a topic to a function, in the node's executor."""

    def received(data: bytes, info: Mapping[str, Any]) -> None:
        number = info.get("publication_sequence_number")
        take(Message(topic, info["source_timestamp"], info["received_timestamp"], data, number or None))

    def received_alone(data: bytes) -> None:
        now = time.time_ns()  # sent a little earlier, but when is unknown here
        take(Message(topic, now, now, data))

    callback = received if hasattr(Subscription, "CallbackType") else received_alone  # Humble has no info
    node.create_subscription(message_class(kind), topic, callback, qos_profile(qos), raw=True)
