"""Bags: rosbag2 recordings read and written without ROS, through ``rosbags``.

A bag's own message definitions are used where it has them, so recordings of other
distributions are read correctly; other messages are taken to be ROS 2 Jazzy's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from perception.errors import InputError

SUFFIXES = (".mcap", ".db3", ".bag")
_RATE_MESSAGES = 100
_VISION_MSGS = Path(__file__).parents[1] / "msg" / "vision_msgs"


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """ROS 2 Jazzy's messages and those of vision_msgs 4."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(_VISION_MSGS.glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(encoding="utf-8"), f"vision_msgs/msg/{path.stem}"))
    store.register(types)
    return store


def is_bag(path: Path) -> bool:
    """Whether a path is a bag by its name: a storage file, or a folder that holds some."""
    if path.is_dir():
        return (path / "metadata.yaml").exists() or any(_storage_files(path))
    return path.suffix in SUFFIXES


class BagReader:
    """A bag opened for reading; use it with ``with``.

    Args:
        path: a bag folder (with or without metadata.yaml), or one ``.mcap`` or ``.db3`` file.

    Raises:
        InputError: the bag does not exist, cannot be read or is empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        paths = [self.path]
        if self.path.is_dir() and not (self.path / "metadata.yaml").exists():
            paths = list(_storage_files(self.path))  # metadata.yaml is written last, so a crash loses it
        if not paths or not self.path.exists():
            raise InputError(f"{self.path}: no such bag")
        _require_openable(self.path)
        try:
            self._reader = AnyReader(paths, default_typestore=typestore())
            self._reader.open()
        except Exception as error:  # broken bytes make the parsers below raise nearly anything
            raise InputError(f"{self.path}: cannot be read as a bag: {_reason(error)}") from error
        if not self._reader.message_count:
            self.close()
            raise InputError(
                f"{self.path}: the bag is empty; was the recording stopped before the first message?"
            )

    @property
    def end_ns(self) -> int:
        """When the last message was recorded, ns since the epoch."""
        return int(self._reader.end_time)

    @property
    def topics(self) -> dict[str, str]:
        """Topic → message type, for the topics that hold messages."""
        return {c.topic: c.msgtype for c in self._reader.connections if c.msgcount}

    @property
    def is_cdr(self) -> bool:
        """Whether the messages are CDR, as DDS sends them; those of a ROS 1 bag are not."""
        return self._reader.is2

    def count(self, topic: str) -> int:
        """Number of messages on a topic."""
        return sum(c.msgcount for c in self._reader.connections if c.topic == topic)

    def rate_hz(self, topic: str) -> float:
        """Messages per second, by the median interval of a topic's first ones; 1.0 if it has fewer than two.

        The bag's duration is not used, because other topics may have been recorded for longer.
        """
        times: list[int] = []
        with suppress(InputError):  # reading all messages reports the damage
            times += (time_ns for _, time_ns, _ in islice(self.raw([topic]), _RATE_MESSAGES))
        gaps = np.diff(times)
        return float(1e9 / np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0

    def offered_qos(self, topic: str) -> Sequence[Qos]:
        """The QoS that the recorded publishers offered; empty where the bag does not say."""
        return [
            qos
            for connection in self._reader.connections
            if connection.topic == topic
            for qos in getattr(connection.ext, "offered_qos_profiles", ())
        ]

    def raw(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """The topics' messages in recorded order: (topic, time of recording in ns, serialized message).

        Raises:
            InputError: the bag is damaged here; what came before is good.
        """
        for connection, time_ns, data in self._connections(topics):
            yield connection.topic, time_ns, bytes(data)

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """The same, with each message as an object that has ROS' attributes.

        Raises:
            InputError: the bag is damaged here; what came before is good.
        """
        for connection, time_ns, data in self._connections(topics):
            try:
                message = self._reader.deserialize(data, connection.msgtype)
            except Exception as error:  # as above: any bytes may be in place of a message
                what = f"a message on {connection.topic} does not fit {connection.msgtype}"
                raise InputError(f"{self.path}: {what}: {_reason(error)}") from error
            yield connection.topic, time_ns, message

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connections(self, topics: Collection[str]) -> Iterator[tuple[Connection, int, bytes]]:
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:  # rosbags takes an empty filter as all topics
            return
        stream = self._reader.messages(wanted)
        missing = Counter({c.topic: self.count(c.topic) for c in wanted})
        while True:
            try:
                item = next(stream)
            except StopIteration:
                break
            except Exception as error:  # as above
                raise InputError(f"{self.path}: damaged, read in part only: {_reason(error)}") from error
            missing[item[0].topic] -= 1
            yield item
        # rosbags reads no messages of a topic whose QoS in metadata.yaml and in the storage file differ.
        for topic, count in (+missing).items():
            problem = f"{count} of {self.count(topic)} messages on {topic} are missing"
            has_metadata = (self.path / "metadata.yaml").exists()
            what = "metadata.yaml" if has_metadata else "index"
            remedy = "; 'ros2 bag reindex' writes it again" if has_metadata else ""
            raise InputError(f"{self.path}: {problem}; its {what} does not fit{remedy}")


def _require_openable(path: Path) -> None:
    """Refuse SQLite files that rosbags cannot open by URI, or would read without their log."""
    for file in sorted(path.glob("*.db3")) if path.is_dir() else [path]:
        if file.suffix != ".db3":
            continue
        if special := re.search("[#?]|%[0-9a-fA-F]{2}", str(file)):
            raise InputError(
                f"{file}: a .db3 bag cannot be opened where its path has {special[0]!r}; rename it"
            )
        log = Path(f"{file}-wal")
        if log.exists() and log.stat().st_size:
            raise InputError(
                f"{file}: the recording was cut off, and its last messages are still in {log.name}; "
                f"sqlite3 {file.name} 'PRAGMA wal_checkpoint(TRUNCATE)' brings them into the bag"
            )


class BagWriter:
    """A new MCAP bag; use it with ``with``.

    Args:
        path: the folder to make; it must not exist yet.

    Raises:
        InputError: the folder exists, or cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(self.path, version=8, storage_plugin=StoragePlugin.MCAP)
            # Masks are large areas of one value: zstd makes them about a hundred times smaller.
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except WriterError:
            raise InputError(f"{self.path} exists already; remove it or write elsewhere") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written: {error.strerror}") from error

    def write(self, topic: str, message: Any, time_ns: int, *, qos: Sequence[Qos] = ()) -> None:
        """Add a message made of ``typestore()``'s classes.

        Args:
            topic: its name; all messages of a topic have one type.
            message: the message.
            time_ns: when it was received, ns since the epoch.
            qos: what the topic's publisher offers, taken from the first message.
        """
        kind = message.__msgtype__
        self.write_raw(topic, kind, typestore().serialize_cdr(message, kind), time_ns, qos=qos)

    def write_raw(
        self, topic: str, kind: str, data: bytes | memoryview, time_ns: int, *, qos: Sequence[Qos] = ()
    ) -> None:
        """Add a message that is already serialized, of a type named as in ``sensor_msgs/msg/Image``."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=typestore(), offered_qos_profiles=qos
            )
        self._writer.write(self._connections[topic], time_ns, data)

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        self._writer.close()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _storage_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES)


def _reason(error: Exception) -> str:
    """The first line of an error, or its class if it has no text."""
    if isinstance(error, KeyError):  # rosbag2 leaves an encoding empty where it has no .msg file
        problem = f"rosbags does not know {error}; if that is the encoding of a message definition"
        return f"{problem}, 'ros2 bag convert' to MCAP helps"
    if isinstance(error, AnyReaderError) and "end magic" in str(error):
        return "it was cut short (its index is missing); 'mcap recover' can repair it"
    return next(iter(str(error).splitlines()), "") or type(error).__name__
