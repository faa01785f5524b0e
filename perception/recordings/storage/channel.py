"""What all storage files give: channels, and their messages by time of recording."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from rosbags.interfaces import MessageDefinition, Qos
from rosbags.rosbag2.metadata import parse_qos

CDR, ROS1 = "cdr", "ros1"


@dataclass(frozen=True)
class Channel:
    """A topic as one file has it.

    Attributes:
        topic: its name.
        kind: its message type, as in ``sensor_msgs/msg/Image``.
        encoding: how its messages are serialized; ROS uses ``"cdr"`` and ``"ros1"``.
        definition: of the message type; of format NONE where the file has none.
        count: how many messages the file's index says it has.
        qos: what the recorded publishers offered; empty where the file does not say.
    """

    topic: str
    kind: str
    encoding: str
    definition: MessageDefinition
    count: int
    qos: tuple[Qos, ...] = ()


class Record(NamedTuple):
    """A message: where it belongs, when it was recorded (ns since the epoch), and its bytes."""

    channel: Channel
    time_ns: int
    data: bytes


class StorageFile(Protocol):
    """One file of a recording.

    Attributes:
        path: its name for people.
        channels: its topics.
        start_ns: when its first message was recorded; 0 if it has none.
        end_ns: when its last message was recorded, plus 1; 0 if it has none.
        damage: what is known to be lost, where, and what to do; empty if the file is whole.
    """

    path: Path
    channels: tuple[Channel, ...]
    start_ns: int
    end_ns: int
    damage: str

    def records(self, topics: Collection[str], *, skip: int = 0) -> Iterator[Record]:
        """The topics' messages by time of recording; memory is needed for a few of them only.

        Args:
            topics: their names.
            skip: leave out so many of these messages at the beginning, without reading those that the file's
                index lets it pass over.

        Raises:
            InputError: after all that can be read, if something cannot.
        """
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def offered(text: str) -> tuple[Qos, ...]:
    """The QoS profiles in rosbag2's YAML; none if it cannot be read, because a player has a default."""
    try:
        return tuple(parse_qos(text))
    except Exception:  # any text may be there
        return ()
