"""Messages that rosbag2 has compressed one by one."""

from __future__ import annotations

from pathlib import Path

import zstandard

from perception.errors import InputError
from perception.recordings.storage.channel import CDR, Record

_ZSTD = b"\x28\xb5\x2f\xfd"  # no CDR message begins so: its first byte is 0


def as_sent(path: Path, record: Record) -> Record:
    """A message as it was sent, where rosbag2 has compressed each message."""
    if record.channel.encoding != CDR or record.data[:4] != _ZSTD:
        return record
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    try:
        data = unpacker.decompress(record.data)
    except zstandard.ZstdError:
        data = b""
    if not unpacker.eof:
        raise InputError(f"{path}: damaged: a message on {record.channel.topic} cannot be decompressed")
    return record._replace(data=data)
