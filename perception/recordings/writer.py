"""Writing bags: MCAP with rosbag2's metadata, without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection, Qos
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError

from perception.errors import InputError
from perception.recordings.definitions import typestore


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

    @property
    def size_bytes(self) -> int:
        """Size of the file so far; up to a MiB is still in memory."""
        with self._named():
            return sum(file.stat().st_size for file in self.path.glob("*.mcap"))

    def write(self, topic: str, message: Any, time_ns: int, *, qos: Sequence[Qos] = ()) -> None:
        """Add a message made of ``typestore()``'s classes.

        Args:
            topic: its name; all messages of a topic have one type.
            message: the message.
            time_ns: when it was received, ns since the epoch.
            qos: what the topic's publisher offers, taken from the first message.

        Raises:
            OSError: the disk is full, or gone; it names the bag.
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
        with self._named():
            self._writer.write(self._connections[topic], time_ns, data)

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        with self._named():
            self._writer.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the bag in errors of the disk, such as a full one, because the system does not."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
