"""Containers of videos: whether a file ends before the end that its own lengths give."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # of Matroska and WebM
_ASF, _ASF_FILE = bytes.fromhex("3026b2758e66cf11"), bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_UNKNOWN = 2**56 - 1  # the size in a file that was written without seeking


def is_cut(path: Path) -> bool | None:
    """Whether a video file was cut short.

    Returns:
        Of MP4 and its relatives, AVI, MKV, WebM and WMV: whether a part reaches beyond the end of the file.
        None of other containers, and of files that were written as a stream, because they have no such
        lengths.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(b"RIFF"):
            ends = _riff(file, length)
        elif head.startswith(_EBML):
            ends = _matroska(file)
        elif head.startswith(_ASF):
            ends = _asf(file, length)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            ends = _boxes(file, length)
        else:
            return None
        last = max(ends, default=None)
    return None if last is None else last > length


def _riff(file: BinaryIO, length: int) -> Iterator[int]:
    """Where each RIFF part ends; large AVI files have several (OpenDML)."""
    at = 0
    while at + 8 <= length:
        file.seek(at)
        name, size = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or size in (0, 2**32 - 1):  # not closed, which is not the same as cut
            return
        at += 8 + size
        yield at


def _asf(file: BinaryIO, length: int) -> Iterator[int]:
    """The length that an ASF file gives in its file properties (ASF specification, section 3.2)."""
    file.seek(24)
    (count,) = struct.unpack("<I2x", file.read(6).ljust(6, b"\0"))
    for _ in range(min(count, 100)):
        kind, size, said = struct.unpack("<16sQ16xQ", file.read(48).ljust(48, b"\0"))
        if kind == _ASF_FILE and said:  # 0 in a live stream
            yield said
        if not 48 <= size <= length:
            return
        file.seek(size - 48, 1)


def _boxes(file: BinaryIO, length: int) -> Iterator[int]:
    """Where each outer box ends (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at + 8 <= length:
        file.seek(at)
        (size,) = struct.unpack(">I4x", file.read(8))
        if size == 1:  # a large one: the size follows
            large = file.read(8)
            size = struct.unpack(">Q", large)[0] if len(large) == 8 else length + 1
        if size < 8:  # up to the end of the file, or bytes after the last box
            return
        at += size
        yield at


def _matroska(file: BinaryIO) -> Iterator[int]:
    """Where the segment ends (RFC 8794, section 4; RFC 9559, section 5.1)."""
    file.seek(4)
    header = _size(file)
    if header is None:
        return
    file.seek(header, 1)
    size = _size(file) if file.read(4) == _SEGMENT else None
    if size is not None and size != _UNKNOWN:
        yield file.tell() + size


def _size(file: BinaryIO) -> int | None:
    """A size of variable length: the leading zero bits of its first byte say how many bytes follow."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    if len(rest) < more:
        return None
    value = int.from_bytes(first + rest, "big") - (1 << 7 * (more + 1))
    return _UNKNOWN if value == (1 << 7 * (more + 1)) - 1 else value
