"""SQLite files of rosbag2 (.db3), whole or cut short."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from perception.errors import InputError
from perception.recordings.storage.channel import Channel, Record, offered

MAGIC = b"SQLite format 3\x00"
_FORMATS = {"ros2msg": MessageDefinitionFormat.MSG, "ros2idl": MessageDefinitionFormat.IDL}
_ROWS = "SELECT topic_id, timestamp, data FROM messages"
_MESSAGE = "typeof(timestamp) = 'integer' AND typeof(data) = 'blob'"  # SQLite takes any value in any column
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
                if self._missing(database):
                    raise sqlite3.DatabaseError("only a part of its last page is there")
        except sqlite3.Error as error:
            self.damage = f"{name}: cut short or damaged ({error}); {_RECOVER}"
            self._read_damaged()
        self.channels = tuple(self._channels.values())

    def records(self, topics: Collection[str], *, skip: int = 0) -> Iterator[Record]:
        """See ``StorageFile``."""
        wanted = {key: channel for key, channel in self._channels.items() if channel.topic in topics}
        try:
            with closing(self._open(damaged=bool(self.damage))) as database:
                if self.damage:
                    every = (row for row in self._first_rows(database) if row[0] in wanted)
                    rows: Iterator[tuple[int, int, bytes]] = islice(every, skip, None)
                else:
                    marks = ", ".join("?" for _ in wanted)
                    query = f"{_ROWS} WHERE topic_id IN ({marks}) AND {_MESSAGE} ORDER BY timestamp"
                    rows = database.execute(f"{query} LIMIT -1 OFFSET ?", (*wanted, skip))
                for key, time_ns, data in rows:
                    yield Record(wanted[key], time_ns, data)
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: damaged ({error}); {_RECOVER}") from error
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
        counts: Counter[int] = Counter()
        try:
            with closing(self._open(damaged=True)) as database:
                self._channels = _channels(database)
                for key, time_ns, _ in self._first_rows(database):
                    counts[key] += 1
                    self.start_ns = min(self.start_ns or time_ns, time_ns)
                    self.end_ns = max(self.end_ns, time_ns + 1)
        except sqlite3.Error:
            pass  # there is not even a list of topics
        if not counts:
            raise InputError(self.damage)
        self._channels = {key: replace(channel, count=counts[key]) for key, channel in self._channels.items()}

    def _first_rows(self, database: sqlite3.Connection) -> Iterator[tuple[int, int, bytes]]:
        """The messages of a damaged file up to the first one that cannot be read.

        The index is of no use, but rosbag2 writes messages in the order of time.
        """
        last: tuple[int, int, bytes] | None = None
        with suppress(sqlite3.Error):
            for key, time_ns, data in database.execute(f"{_ROWS} NOT INDEXED ORDER BY id"):
                if last is not None:
                    yield last
                is_good = key in self._channels and _is_message(time_ns, data)
                last = (key, time_ns, data) if is_good else None
        # SQLite fills a page that is there in part with zeros, which may be part of the last message.
        missing = self._missing(database)
        if last is not None and not (missing and (last[2].endswith(b"\0") or bytes(missing) in last[2])):
            yield last

    def _missing(self, database: sqlite3.Connection) -> int:
        """How many bytes of the last page are missing."""
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
        return int(-self._path.stat().st_size % page_size)


def _is_message(time_ns: object, data: object) -> bool:
    """Whether a row holds a message; SQLite takes any value in any column."""
    return isinstance(time_ns, int) and isinstance(data, bytes)


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
