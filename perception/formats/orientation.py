"""Orientation of WebP files: OpenCV 4 does not apply the tag, and 5 does, so it is applied here."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from perception.formats.tiff import orientation

Frame = NDArray[np.uint8]

_PREFIX = b"Exif\0\0"  # some programs keep it from JPEG


def of_webp(data: bytes) -> int:
    """The orientation tag of a WebP: 1 to 8, and 1 is upright; 1 without such a tag (RFC 9649, EXIF)."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return orientation(memoryview(data[at + 8 : at + 8 + length].removeprefix(_PREFIX)))
        at += 8 + length + length % 2
    return 1


def turn(picture: Frame, tag: int) -> Frame:
    """Turn an (H, W, 3) picture upright, given its orientation tag (EXIF 2.32, section 4.6.4)."""
    if tag >= 5:
        picture = picture.transpose(1, 0, 2)
    if tag in (3, 4, 7, 8):
        picture = picture[::-1]
    if tag in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
