"""ROS 1 bags without an index, because they were cut short: read from the beginning, as far as they go.

The format: https://wiki.ros.org/Bags/Format/2.0.
"""

from __future__ import annotations

import bz2
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import lz4.frame
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.typesys.msg import normalize_msgtype

from perception.errors import InputError
from perception.recordings.storage.channel import ROS1, Channel, Record
from perception.recordings.storage.merge import merged

_LENGTH = struct.Struct("<I")
_TIME = struct.Struct("<II")
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_LARGEST = 2**28  # bytes of a chunk; a broken length may claim all that follows
_REINDEX = "'rosbag reindex' (ROS 1) writes its index again"

_Fields = dict[bytes, bytes]


class CutRos1File:
    """A ROS 1 bag without an index; see ``StorageFile``."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path, self.path = path, name
        self._channels: dict[int, Channel] = {}
        self._pieces: list[tuple[int, int]] = []  # time of the first message, and where the chunk is
        counts: Counter[int] = Counter()
        self.start_ns, self.end_ns = 0, 0
        with path.open("rb") as file:
            for begin, content in _chunks(file):
                times = [time for fields, data in _walk(content) for time in self._take(fields, data, counts)]
                if times:
                    self._pieces.append((min(times), begin))
                    self.end_ns = max(self.end_ns, max(times) + 1)
        if not counts:
            raise InputError(f"{name}: cut short before the first message; record it again")
        self._channels = {key: replace(c, count=counts[key]) for key, c in self._channels.items()}
        self.channels = tuple(self._channels.values())
        self.start_ns = min(start for start, _ in self._pieces)
        before = f"{counts.total()} messages can be read"
        self.damage = f"{name}: cut short before its index was written; {before}; {_REINDEX}"

    def records(self, topics: Collection[str], *, skip: int = 0) -> Iterator[Record]:
        """See ``StorageFile``."""
        with self._path.open("rb") as file:
            streams = ((start, self._read(file, begin, topics)) for start, begin in self._pieces)
            yield from islice(merged(streams), skip, None)
        raise InputError(self.damage)

    def close(self) -> None:
        """See ``StorageFile``; the file is open only while messages are read."""

    def _take(self, fields: _Fields, data: bytes, counts: Counter[int]) -> tuple[int, ...]:
        """Take in a record of the scan; the times of its messages."""
        try:
            if fields[b"op"][0] == _CONNECTION:
                self._channels.setdefault(_number(fields[b"conn"]), _channel(fields, data))
            elif fields[b"op"][0] == _MESSAGE:
                time_ns = _time_ns(fields)
                counts[_number(fields[b"conn"])] += 1
                return (time_ns,)
        except (KeyError, struct.error, ValueError):
            pass  # a damaged record
        return ()

    def _read(self, file: BinaryIO, begin: int, topics: Collection[str]) -> Iterator[Record]:
        file.seek(begin)
        _, content = next(_chunks(file))
        found = []
        for fields, data in _walk(content):
            if fields[b"op"][0] == _MESSAGE:
                channel = self._channels.get(_number(fields[b"conn"]))
                if channel is not None and channel.topic in topics:
                    found.append(Record(channel, _time_ns(fields), data))
        yield from sorted(found, key=lambda record: record.time_ns)


def _chunks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """From where the file is: the place of each chunk, and its records as far as they can be unpacked."""
    if file.tell() == 0:
        file.readline()
    while True:
        begin = file.tell()
        try:
            fields = _fields(_sized(file))
            operation = fields[b"op"][0]
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        except (struct.error, KeyError, IndexError, ValueError):
            return  # the end, or what is no bag any more
        if operation != _CHUNK:
            file.seek(length, 1)
            continue
        end = file.tell() + length
        packed = file.read(min(length, _LARGEST))
        yield begin, _unpacked(fields.get(b"compression", b"none"), packed)
        file.seek(end)


def _unpacked(compression: bytes, packed: bytes) -> bytes:
    try:
        if compression == b"bz2":
            return bz2.BZ2Decompressor().decompress(packed)
        if compression == b"lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(packed))
    except (OSError, RuntimeError, ValueError):
        return b""
    return packed


def _walk(content: bytes) -> Iterator[tuple[_Fields, bytes]]:
    """The whole records in a chunk: (fields of the header, data)."""
    position = 0
    try:
        while position < len(content):
            (length,) = _LENGTH.unpack_from(content, position)
            fields = _fields(content[position + _LENGTH.size : position + _LENGTH.size + length])
            position += _LENGTH.size + length
            (length,) = _LENGTH.unpack_from(content, position)
            position += _LENGTH.size + length
            if position > len(content) or not fields.get(b"op"):
                return
            yield fields, content[position - length : position]
    except (struct.error, ValueError):
        return  # cut within a record


def _fields(header: bytes) -> _Fields:
    """A header's ``name=value`` pairs."""
    fields, position = {}, 0
    while position < len(header):
        (length,) = _LENGTH.unpack_from(header, position)
        position += _LENGTH.size
        name, mark, value = header[position : position + length].partition(b"=")
        if not mark or position + length > len(header):
            raise ValueError("no field")
        fields[name] = value
        position += length
    return fields


def _sized(file: BinaryIO) -> bytes:
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    return file.read(min(length, _LARGEST))


def _channel(fields: _Fields, data: bytes) -> Channel:
    about = _fields(data)
    texts = {
        name: value.decode(errors="replace") for name, value in (about | {b"topic": fields[b"topic"]}).items()
    }
    definition = MessageDefinition(MessageDefinitionFormat.MSG, texts[b"message_definition"])
    topic = "/" + "/".join(filter(None, texts[b"topic"].split("/")))
    return Channel(topic, normalize_msgtype(texts[b"type"]), ROS1, definition, 0)


def _number(value: bytes) -> int:
    return int(_LENGTH.unpack(value)[0])


def _time_ns(fields: _Fields) -> int:
    seconds, nanoseconds = _TIME.unpack(fields[b"time"])
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
