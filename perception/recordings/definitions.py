"""Definitions: the message types of a bag, its own where it has them, and otherwise ROS 2 Jazzy's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from perception.recordings.storage.channel import ROS1, Channel

_VISION_MSGS = Path(__file__).parents[1] / "msg" / "vision_msgs"
_IDL_SEPARATOR = "=" * 80 + "\n"


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """ROS 2 Jazzy's messages and those of vision_msgs 4."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(_VISION_MSGS.glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(encoding="utf-8"), f"vision_msgs/msg/{path.stem}"))
    store.register(types)
    return store


class Definitions:
    """The message types of one bag.

    Args:
        channels: of all its files.
        warn: takes a line for each definition that cannot be read.
    """

    def __init__(self, channels: Iterable[Channel], warn: Callable[[str], None]) -> None:
        types: dict[str, Any] = {}
        # One file of several may lack a definition that the others have.
        for channel in {c.kind: c for c in sorted(channels, key=lambda c: bool(c.definition.data))}.values():
            try:
                types.update(_types(channel.definition, channel.kind))
            except Exception as error:  # any text may be there
                problem = next(iter(str(error).splitlines()), "") or type(error).__name__
                warn(f"the definition of {channel.kind} cannot be read ({problem}); Jazzy's is used")
        self._own = get_typestore(Stores.EMPTY)
        self._own.register(types)

    def deserialize(self, data: bytes, channel: Channel) -> Any:
        """A message as an object.

        Raises:
            Exception: of nearly any class, if the bytes do not fit the type.
        """
        store = self._own if channel.kind in self._own.types else typestore()
        if channel.encoding == ROS1:
            return store.deserialize_ros1(data, channel.kind)
        return store.deserialize_cdr(data, channel.kind)


def _types(definition: MessageDefinition, kind: str) -> dict[str, Any]:
    if definition.format == MessageDefinitionFormat.MSG:
        return dict(get_types_from_msg(definition.data, kind))
    if definition.format != MessageDefinitionFormat.IDL:
        return {}
    if not definition.data.startswith(f"{_IDL_SEPARATOR}IDL: "):
        return dict(get_types_from_idl(definition.data))
    types: dict[str, Any] = {}
    for part in definition.data.split(_IDL_SEPARATOR)[1:]:
        types.update(get_types_from_idl(part.partition("\n")[2]))
    return types
