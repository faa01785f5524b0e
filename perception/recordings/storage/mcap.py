"""MCAP files, whole or cut short: by their index if they have one, or by going through them once.

The format: https://mcap.dev/spec.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mcap import records
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.reader import make_reader
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys.msg import normalize_msgtype

from perception.errors import InputError
from perception.recordings.storage.channel import Channel, Record, offered
from perception.recordings.storage.chunks import MESSAGE, unpacked, unpacked_part, walk
from perception.recordings.storage.merge import merged
from perception.recordings.storage.pieces import Piece, messages_in, passed_over

MAGIC = b"\x89MCAP0\r\n"
_FORMATS = {
    "ros1msg": MessageDefinitionFormat.MSG,
    "ros2msg": MessageDefinitionFormat.MSG,
    "ros2idl": MessageDefinitionFormat.IDL,
    "omgidl": MessageDefinitionFormat.IDL,
}
_RECORD = struct.Struct("<BQ")
_LARGEST = 2**28  # bytes of a chunk that is cut short; a broken length may claim all that follows
_END = (Opcode.DATA_END, Opcode.FOOTER)
_RECOVER = "'mcap recover' writes what is readable to a new file"


@dataclass
class _Index:
    """What is in a file."""

    schemas: dict[int, records.Schema] = field(default_factory=dict)
    channels: dict[int, records.Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    pieces: list[Piece] = field(default_factory=list)
    start_ns: int = 2**63 - 1
    end_ns: int = 0
    damage: str = ""  # what is wrong, and where

    def take(self, opcode: int, body: bytes) -> None:
        """Take in a record of a scan."""
        if opcode == Opcode.SCHEMA:
            schema = records.Schema.read(_stream(body))
            self.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = records.Channel.read(_stream(body))
            self.channels[channel.id] = channel
        elif opcode == Opcode.MESSAGE:
            channel_id, _, time_ns, _ = MESSAGE.unpack_from(body)
            self.counts[channel_id] += 1
            self.start_ns, self.end_ns = min(self.start_ns, time_ns), max(self.end_ns, time_ns + 1)


class McapFile:
    """One MCAP file; see ``StorageFile``."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path, self.path = path, name
        self.damage = ""
        with path.open("rb") as file:
            index = _by_summary(file) or _by_scan(file)
            if index.damage:
                before = f"{index.counts.total()} messages can be read"
                self.damage = f"{name}: {index.damage} of {path.stat().st_size}; {before}; {_RECOVER}"
        self._pieces = index.pieces
        self._channels = {
            key: _channel(channel, index.schemas.get(channel.schema_id), index.counts[key])
            for key, channel in index.channels.items()
        }
        self.channels = tuple(self._channels.values())
        self.start_ns, self.end_ns = index.start_ns if index.end_ns else 0, index.end_ns

    def records(self, topics: Collection[str], *, skip: int = 0) -> Iterator[Record]:
        """See ``StorageFile``."""
        wanted = {key: channel for key, channel in self._channels.items() if channel.topic in topics}
        pieces = [
            piece
            for piece in self._pieces
            if piece.counts is None or any(key in piece.counts for key in wanted)
        ]
        totals = {key: channel.count for key, channel in wanted.items()}
        over, count = passed_over(pieces, totals, skip) if skip else (set(), 0)
        broken: list[int] = []
        with self._path.open("rb") as file:
            streams = (
                (piece.start_ns, _read(file, piece, wanted, broken))
                for piece in pieces
                if piece.begin not in over
            )
            yield from islice(merged(streams), skip - count, None)
        if self.damage:
            raise InputError(self.damage)
        if broken:
            raise InputError(f"{self.path}: damaged in the record at byte {min(broken)}; {_RECOVER}")

    def close(self) -> None:
        """See ``StorageFile``; the file is open only while messages are read."""


def _read(file: BinaryIO, piece: Piece, wanted: Mapping[int, Channel], broken: list[int]) -> Iterator[Record]:
    """The messages of a piece; where it is damaged is put into ``broken``."""
    if piece.is_chunk:
        yield from sorted(_chunk(file, piece, wanted, broken), key=lambda record: record.time_ns)
        return
    position = piece.begin  # others move in the same file between two messages
    while position < piece.end:
        file.seek(position)
        opcode, length = _RECORD.unpack(file.read(_RECORD.size))
        body = file.read(length) if opcode == Opcode.MESSAGE else b""
        if len(body) >= MESSAGE.size and (record := _record(body, wanted)):
            yield record
        position += _RECORD.size + length


def _chunk(
    file: BinaryIO, piece: Piece, wanted: Mapping[int, Channel], broken: list[int]
) -> Iterator[Record]:
    try:
        file.seek(piece.begin)
        opcode, length = _RECORD.unpack(file.read(_RECORD.size))
        if opcode != Opcode.CHUNK:
            raise ValueError("the index does not fit")
        body = file.read(min(length, piece.end - piece.begin - _RECORD.size))
        content = unpacked(body) if len(body) == length else unpacked_part(body)
        for inner, data in walk(content):
            if inner == Opcode.MESSAGE and (record := _record(data, wanted)):
                yield record
    except Exception:  # broken bytes make the parsers raise nearly anything
        broken.append(piece.begin)


def _record(body: bytes, wanted: Mapping[int, Channel]) -> Record | None:
    channel_id, _, time_ns, _ = MESSAGE.unpack_from(body)
    if channel_id not in wanted:
        return None
    return Record(wanted[channel_id], time_ns, body[MESSAGE.size :])


def _by_summary(file: BinaryIO) -> _Index | None:
    """The index that a whole file ends with; None if it is missing or says too little."""
    try:
        summary = make_reader(file).get_summary()
    except Exception:  # as above
        return None
    if summary is None or summary.statistics is None:
        return None
    statistics, chunks = summary.statistics, summary.chunk_indexes
    missing = {channel.schema_id for channel in summary.channels.values()} - {0, *summary.schemas}
    if missing or len(chunks) != statistics.chunk_count:
        return None
    if statistics.message_count and not (chunks and summary.channels):
        return None
    counts = Counter(statistics.channel_message_counts)
    if counts.total() != statistics.message_count:
        return None
    pieces = [
        Piece(
            chunk.message_start_time,
            chunk.chunk_start_offset,
            chunk.chunk_start_offset + chunk.chunk_length,
            chunk.message_end_time,
            messages_in(chunk) or None,
        )
        for chunk in chunks
    ]
    end_ns = statistics.message_end_time + 1 if statistics.message_count else 0
    return _Index(summary.schemas, summary.channels, counts, pieces, statistics.message_start_time, end_ns)


def _by_scan(file: BinaryIO) -> _Index:
    """Go through a file from its beginning, as far as it goes."""
    index = _Index()
    size = file.seek(0, 2)
    position = len(MAGIC)
    loose: tuple[int, int] | None = None  # time and place of the first message of a run
    while True:
        file.seek(position)
        head = file.read(_RECORD.size)
        opcode, length = _RECORD.unpack(head) if len(head) == _RECORD.size else (0, 0)
        body_end = position + _RECORD.size + length
        is_whole = opcode != 0 and body_end <= size
        if loose and (not is_whole or opcode in (Opcode.CHUNK, *_END)):
            index.pieces.append(Piece(loose[0], loose[1], position, is_chunk=False))
            loose = None
        if opcode in _END and is_whole:
            return index
        if not is_whole:
            index.damage = index.damage or f"cut short in the record at byte {position}"
            if opcode == Opcode.CHUNK:
                part = file.read(_LARGEST)
                _take_chunk(index, part, Piece(0, position, position + _RECORD.size + len(part)), whole=False)
            return index
        try:
            if opcode == Opcode.CHUNK:
                _take_chunk(index, file.read(length), Piece(0, position, body_end), whole=True)
            elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE):
                body = file.read(length)
                index.take(opcode, body)
                if opcode == Opcode.MESSAGE and loose is None:
                    loose = MESSAGE.unpack_from(body)[2], position
        except Exception:  # as above; the next record begins where this one's length says
            index.damage = index.damage or f"damaged in the record at byte {position}"
        position = body_end


def _take_chunk(index: _Index, body: bytes, piece: Piece, *, whole: bool) -> None:
    own = _Index(index.schemas, index.channels)
    try:
        for opcode, data in walk(unpacked(body) if whole else unpacked_part(body)):
            own.take(opcode, data)
    finally:  # what came before the damage counts
        index.counts += own.counts
        index.start_ns, index.end_ns = min(index.start_ns, own.start_ns), max(index.end_ns, own.end_ns)
        if own.counts:
            index.pieces.append(Piece(own.start_ns, piece.begin, piece.end, own.end_ns - 1, own.counts))


def _channel(channel: records.Channel, schema: records.Schema | None, count: int) -> Channel:
    definition = MessageDefinition(MessageDefinitionFormat.NONE, "")
    if schema is not None and schema.encoding in _FORMATS and schema.data:
        text = schema.data.decode("utf-8", errors="replace")
        definition = MessageDefinition(_FORMATS[schema.encoding], text)
    kind = schema.name if schema is not None else ""
    kind = normalize_msgtype(kind) if "/" in kind else kind or "unknown"
    qos = offered(channel.metadata.get("offered_qos_profiles", ""))
    return Channel(channel.topic, kind, channel.message_encoding, definition, count, qos)


def _stream(body: bytes) -> ReadDataStream:
    return ReadDataStream(BytesIO(body))
