"""Pictures: the runtime and training both read picture files here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError
from perception.frames import Frame, check, decode
from perception.headers import JPEG, PNG, inspect_png

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp")

_PNG_DEPTH, _PNG_COLOR_TYPE, _PALETTE = 24, 25, 3  # bytes of a PNG's header, and a value of the second


def read(path: Path) -> Frame:
    """Read a picture; an orientation tag (EXIF) is applied.

    Returns:
        (H, W, 3) uint8 BGR, owned by the caller.

    Raises:
        FrameError: the file cannot be used; the message says why, without the file's name. Cut-off files,
            more than 8 bits a channel (they would come out dark) and too many pixels are refused.
    """
    data = _bytes(path)
    if data.startswith((JPEG, PNG)):
        try:
            return decode(data, upright=True)
        except FrameError as error:
            if error.reason == "depth":
                raise FrameError("depth", "more than 8 bits a channel; save it with 8") from error
            raise
    picture = _decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)  # or 16 bits would silently become 8
    if picture.dtype != np.uint8:
        raise FrameError("depth", f"{8 * picture.itemsize} bits a channel; save it with 8")
    check(picture)
    return np.asarray(picture, np.uint8)


def read_ids(path: Path) -> NDArray[np.uint8]:
    """Read a label image: one byte a pixel.

    Returns:
        (H, W) uint8, the values as they are in the file; an orientation tag is not applied.

    Raises:
        FrameError: the file cannot be used; the message says why, without the file's name. The reason is
            ``encoding`` if it can be read but does not hold one byte a pixel.
    """
    data = _bytes(path)
    if data.startswith(PNG):
        inspect_png(memoryview(data))  # OpenCV does not report a PNG that is cut off
    try:
        values = _decoded(data, cv2.IMREAD_UNCHANGED)
    except FrameError as error:
        raise FrameError("data", str(error)) from error
    # OpenCV reads a palette as colours, and spreads the values of less than 8 bits over 0…255.
    if data.startswith(PNG) and data[_PNG_COLOR_TYPE] == _PALETTE:
        raise FrameError("encoding", "an indexed PNG")
    if values.ndim != 2:
        raise FrameError("encoding", "colours")
    if values.dtype != np.uint8:
        raise FrameError("encoding", f"values of type {values.dtype}")
    if data.startswith(PNG) and data[_PNG_DEPTH] < 8:
        raise FrameError("encoding", f"{data[_PNG_DEPTH]}-bit values")
    return np.asarray(values, np.uint8)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()  # OpenCV would end the process over a path that is not UTF-8
    except OSError as error:
        raise FrameError("data", f"cannot be read: {error.strerror}") from error
    if not data:
        raise FrameError("data", "the file is empty")
    return data


def _decoded(data: bytes, flags: int) -> NDArray[Any]:
    try:
        picture: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FrameError("data", f"corrupt: {error.err}") from error
    if picture is None:
        raise FrameError("encoding", "not a picture that OpenCV can read, or a damaged one")
    return picture
