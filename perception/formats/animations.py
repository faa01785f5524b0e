"""Files of several pictures: animations and pages, of which the first is what reads as a picture."""

from __future__ import annotations

import struct

from perception.errors import FrameError
from perception.formats.jpeg_png import PNG
from perception.formats.tiff import read_header
from perception.formats.tiff_webp import TIFF

_EXTENSION, _IMAGE = 0x21, 0x2C  # blocks of a GIF
_ANIMATED = 0x02  # a flag of WebP


def holds_several(data: bytes) -> bool:
    """Whether a picture file holds more than one: a GIF, WebP, PNG or TIFF. False if it is damaged."""
    try:
        if data.startswith(b"GIF8"):
            return _is_animated_gif(data)
        if data.startswith(TIFF):
            return read_header(memoryview(data)).pages > 1
    except (FrameError, IndexError):
        return False
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return len(data) > 20 and bool(data[20] & _ANIMATED)
    if data.startswith(PNG):
        return _is_animated_png(data)
    return False


def _is_animated_gif(data: bytes) -> bool:
    at = 13 + _colors(data[10])
    images = 0
    while data[at] in (_EXTENSION, _IMAGE):
        if data[at] == _IMAGE:
            images += 1
            at += 11 + _colors(data[at + 9])
        else:
            at += 2
        while data[at]:  # sub-blocks, each after its length
            at += 1 + data[at]
        at += 1
        if images > 1:
            return True
    return False


def _colors(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _is_animated_png(data: bytes) -> bool:
    at = len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"acTL", b"IDAT"):
            return bool(kind == b"acTL")
        at += 12 + length
    return False
