"""Chunks of MCAP files: unpacked, also in part where one is cut short."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import crc32

import lz4.frame
import zstandard

MESSAGE = struct.Struct("<HIQQ")  # channel, number, time of recording, time of publishing
_CHUNK = struct.Struct("<QQQII")  # first time, last time, size, checksum, length of the compression's name
_RECORD = struct.Struct("<BQ")


def unpacked(body: bytes) -> bytes:
    """The records in a chunk.

    Raises:
        ValueError, and others of the unpackers: it is damaged.
    """
    _, _, size, checksum, _ = _CHUNK.unpack_from(body)
    compression, packed, length = _parts(body)
    if len(packed) != length:
        raise ValueError("shorter than it says")
    if compression == "zstd":
        content = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    elif compression == "lz4":
        content = lz4.frame.decompress(packed)
    elif compression:
        raise ValueError(f"compressed by {compression!r}")
    else:
        content = packed
    if len(content) != size or (checksum and crc32(content) != checksum):
        raise ValueError("the checksum does not fit")
    return content


def unpacked_part(body: bytes) -> bytes:
    """The records at the beginning of a chunk that is cut short; the last of them may be cut."""
    try:
        compression, packed, _ = _parts(body)
        if compression == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
        if compression == "lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(packed))
    except (struct.error, zstandard.ZstdError, RuntimeError):
        return b""
    return b"" if compression else packed


def walk(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records in a chunk's content: (opcode, body)."""
    position = 0
    while position + _RECORD.size <= len(content):
        opcode, length = _RECORD.unpack_from(content, position)
        position += _RECORD.size
        if position + length > len(content):
            return
        yield opcode, content[position : position + length]
        position += length


def _parts(body: bytes) -> tuple[str, bytes, int]:
    """Compression, compressed records, and how many bytes these should have."""
    *_, name_length = _CHUNK.unpack_from(body)
    begin = _CHUNK.size + name_length
    compression = body[_CHUNK.size : begin].decode()
    (length,) = struct.unpack_from("<Q", body, begin)
    begin += 8
    return compression, body[begin : begin + length], length
