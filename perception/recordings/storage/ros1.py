"""ROS 1 bags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from rosbags.rosbag1 import Reader

from perception.errors import InputError
from perception.recordings.storage.channel import ROS1, Channel, Record, StorageFile
from perception.recordings.storage.ros1_cut import CutRos1File

MAGIC = b"#ROSBAG V"
_REINDEX = "'rosbag reindex' (ROS 1) writes its index again"


def open_ros1(path: Path, name: Path) -> StorageFile:
    """Open a ROS 1 bag, by its index or, if it is cut short, from its beginning.

    Raises:
        InputError: it is of an older version, or nothing in it can be read.
    """
    with path.open("rb") as file:
        version = file.readline(32).removeprefix(MAGIC).strip()
    if version != b"2.0":
        raise InputError(
            f"{name}: a ROS 1 bag of version {version.decode(errors='replace')}, and only 2.0 is read; "
            "'rosbag fix' (ROS 1) converts it"
        )
    reader = Reader(path)
    try:
        reader.open()
    except Exception:  # broken bytes make the parser raise nearly anything
        return CutRos1File(path, name)
    return _Ros1File(reader, name)


class _Ros1File:
    """A ROS 1 bag with its index; see ``StorageFile``."""

    def __init__(self, reader: Reader, name: Path) -> None:
        self._reader, self.path, self.damage = reader, name, ""
        self._channels = {
            connection.id: Channel(
                connection.topic, connection.msgtype, ROS1, connection.msgdef, connection.msgcount
            )
            for connection in self._reader.connections
        }
        self.channels = tuple(self._channels.values())
        self.end_ns = int(self._reader.end_time)
        self.start_ns = int(self._reader.start_time) if self.end_ns else 0

    def records(self, topics: Collection[str], *, skip: int = 0) -> Iterator[Record]:
        """See ``StorageFile``."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:  # rosbags takes an empty filter as all topics
            return
        try:
            for connection, time_ns, data in islice(self._reader.messages(wanted), skip, None):
                yield Record(self._channels[connection.id], time_ns, bytes(data))
        except Exception as error:  # as above
            problem = next(iter(str(error).splitlines()), "") or type(error).__name__
            raise InputError(f"{self.path}: damaged ({problem}); {_REINDEX}") from error

    def close(self) -> None:
        """See ``StorageFile``."""
        self._reader.close()
