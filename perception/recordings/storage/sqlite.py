"""SQLite files of rosbag2 (.db3), whole or cut short."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from perception.errors import InputError
from perception.recordings.storage.channel import Channel, Record, offered

MAGIC = b"SQLite format 3\x00"
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
_RECOVER = "sqlite3's '.recover' can write what is readable to a new file"


class SqliteFile:
    """One .db3 file; see ``StorageFile``."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path, self.path = path, name
        self.damage = ""
        _refuse_log(path)
        try:
            with closing(self._open()) as database:
                self._channels = _channels(database)
                self._count(database)
        except sqlite3.Error as error:
            self.damage = f"{name}: cut short or damaged ({error}); {_RECOVER}"
            self._read_damaged()
        self.channels = tuple(self._channels.values())

    def records(self, topics: Collection[str]) -> Iterator[Record]:
        """See ``StorageFile``."""
        wanted = {key: channel for key, channel in self._channels.items() if channel.topic in topics}
        which = f"WHERE topic_id IN ({', '.join('?' for _ in wanted)})"
        # Of a damaged file, the index is of no use; rosbag2 writes messages in the order of time.
        which = f"NOT INDEXED {which} ORDER BY id" if self.damage else f"{which} ORDER BY timestamp"
        try:
            with closing(self._open(damaged=bool(self.damage))) as database:
                query = f"SELECT topic_id, timestamp, data FROM messages {which}"
                for key, time_ns, data in database.execute(query, tuple(wanted)):
                    if isinstance(data, bytes) and isinstance(time_ns, int):
                        yield Record(wanted[key], time_ns, data)
        except sqlite3.Error as error:
            raise InputError(self.damage or f"{self.path}: damaged ({error}); {_RECOVER}") from error
        if self.damage:
            raise InputError(self.damage)

    def close(self) -> None:
        """See ``StorageFile``; the file is open only while messages are read."""

    def _open(self, *, damaged: bool = False) -> sqlite3.Connection:
        # as_uri escapes what a URI gives a meaning to; immutable needs no right to write a lock beside it
        uri = f"{self._path.absolute().as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(uri, uri=True, check_same_thread=False)
        database.text_factory = lambda text: text.decode(errors="replace")
        if damaged:  # with it, SQLite opens a file that is shorter than its header says
            database.execute("PRAGMA writable_schema = ON")
        return database

    def _count(self, database: sqlite3.Connection) -> None:
        self.start_ns, self.end_ns = 0, 0
        query = "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id"
        rows = [row for row in database.execute(query) if row[0] in self._channels]
        for key, count, _, _ in rows:
            self._channels[key] = replace(self._channels[key], count=count)
        if rows:
            self.start_ns, self.end_ns = min(row[2] for row in rows), max(row[3] for row in rows) + 1

    def _read_damaged(self) -> None:
        """Count what can be read."""
        self._channels, self.start_ns, self.end_ns = {}, 0, 0
        counts: dict[int, int] = {}
        times: list[int] = []
        try:
            with closing(self._open(damaged=True)) as database:
                self._channels = _channels(database)
                query = "SELECT topic_id, timestamp, data FROM messages NOT INDEXED ORDER BY id"
                for key, time_ns, _ in database.execute(query):
                    counts[key] = counts.get(key, 0) + 1
                    times = [min([time_ns, *times]), max([time_ns, *times])]
        except sqlite3.Error:
            pass  # the rest
        if not counts:
            raise InputError(self.damage)
        self._channels = {
            key: replace(channel, count=counts.get(key, 0)) for key, channel in self._channels.items()
        }
        self.start_ns, self.end_ns = times[0], times[1] + 1


def _channels(database: sqlite3.Connection) -> dict[int, Channel]:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if missing := {"topics", "messages"} - tables:
        raise sqlite3.DatabaseError(f"no table of {' and '.join(sorted(missing))}")
    definitions = {}
    if "message_definitions" in tables:  # since Iron
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        for kind, encoding, text in database.execute(query):
            if encoding in _FORMATS and text:  # rosbag2 leaves the encoding empty where it has no .msg file
                definitions[kind] = MessageDefinition(_FORMATS[encoding], text)
    columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
    qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"  # since Foxy
    return {
        key: Channel(
            topic,
            kind,
            encoding,
            definitions.get(kind, MessageDefinition(MessageDefinitionFormat.NONE, "")),
            0,
            offered(profiles),
        )
        for key, topic, kind, encoding, profiles in database.execute(
            f"SELECT id, name, type, serialization_format, {qos} FROM topics"
        )
    }


def _refuse_log(path: Path) -> None:
    """Refuse a file whose last messages are still in SQLite's log."""
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size:
        raise InputError(
            f"{path}: the recording was cut off, and its last messages are still in {log.name}; "
            f"sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)' brings them into the bag"
        )
