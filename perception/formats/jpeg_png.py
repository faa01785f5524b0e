"""Headers of JPEG and PNG data: size and depth before memory is allocated, and whether all data is there."""

from __future__ import annotations

import re
import struct
import zlib

from perception.errors import FrameError

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"  # how the data begins

# OpenCV decodes a JPEG that was cut short into grey areas and reports it on stderr only, so the structure is
# checked first.
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
# Within a scan FF is data when 00 follows and a restart when D0 to D7 follow; anything else ends it.
_JPEG_SCAN_ENDS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def inspect_jpeg(view: memoryview) -> tuple[int, int, int]:
    """(bits per channel, height, width) of a JPEG whose segments are complete (ITU-T T.81, annex B)."""
    header = None
    scans = 0
    at = 2
    try:
        while view[at + 1] != _JPEG_END:
            marker = view[at + 1]
            if view[at] != 0xFF or marker in _JPEG_WITHOUT_LENGTH:
                raise FrameError("jpeg", f"JPEG is corrupt at byte {at}")
            if marker == 0xFF:  # a fill byte
                at += 1
                continue
            (length,) = struct.unpack_from(">H", view, at + 2)
            if marker in _JPEG_FRAMES:
                if header is not None:  # OpenCV would allocate memory for the first
                    raise FrameError("jpeg", "JPEG with two frame headers")
                header = struct.unpack_from(">BHH", view, at + 4)
            at += 2 + length
            if marker == _JPEG_SCAN:
                scans += 1
                scan_end = _JPEG_SCAN_ENDS.search(view, at)
                at = scan_end.start() if scan_end else len(view)
    except (IndexError, struct.error):
        raise FrameError("jpeg", f"JPEG is cut short after {len(view)} bytes") from None
    if header is None or not scans:
        raise FrameError("jpeg", "JPEG without a picture in it")
    return header


def inspect_png(view: memoryview) -> tuple[int, int, int]:
    """(bits per channel, height, width) of a PNG whose chunks are complete (ISO/IEC 15948, section 5)."""
    header = None
    at = 8
    try:
        while True:
            length, kind = struct.unpack_from(">I4s", view, at)
            (checksum,) = struct.unpack_from(">I", view, at + 8 + length)
            if zlib.crc32(view[at + 4 : at + 8 + length]) != checksum:
                raise FrameError("data", f"PNG is corrupt in the chunk at byte {at}")
            if kind == b"IHDR":
                width, height, depth = struct.unpack_from(">IIB", view, at + 8)
                header = (depth, height, width)
            if kind == b"IEND":
                break
            at += 12 + length
    except struct.error:
        raise FrameError("data", f"PNG is cut short after {len(view)} bytes") from None
    if header is None:
        raise FrameError("data", "PNG without a header")
    return header
