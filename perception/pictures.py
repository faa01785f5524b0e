"""Pictures: the runtime and training both read picture files here and nowhere else, and write them here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError
from perception.formats import kinds
from perception.formats.jpeg_png import PNG, inspect_png
from perception.formats.orientation import of_webp, turn
from perception.formats.silence import opencv_silent
from perception.formats.tiff import read_header
from perception.frames import Frame, check, decode
from perception.paths import writing

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tif", ".tiff", ".webp", ".gif"),
)

_PNG_DEPTH, _PNG_COLOR_TYPE, _PALETTE = 24, 25, 3  # bytes of a PNG's header, and a value of the second
# The kinds of PNM that say how large their values may be.
_PNM = re.compile(rb"(P[2356])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)\s")


def read(path: Path) -> Frame:
    """Read a picture; an orientation tag (EXIF) is applied.

    What the file is, is decided by its data; its name does not matter. Of an animation or several pages, the
    first picture is read.

    Returns:
        (H, W, 3) uint8 BGR, owned by the caller.

    Raises:
        FrameError: the file cannot be used; the message says why, without the file's name. Cut-off files,
            more than 8 bits a channel (they would come out dark), too many pixels, and whatever OpenCV would
            read as other colours are refused.
    """
    data = _bytes(path)
    kind = kinds.picture(data[: kinds.HEAD])
    if kind is None:
        found = kinds.foreign(data[: kinds.HEAD])
        what = f"{kinds.with_article(found)}, which cannot be read as a picture"
        raise FrameError("encoding", "; ".join(filter(None, (what, kinds.advice(found)))))
    _require_colors(kind, data)
    if kind in ("JPEG", "PNG", "TIFF", "WebP"):
        return _checked(kind, data)
    picture = _decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH, kind)  # or 16 bits would become 8
    if picture.dtype != np.uint8:
        raise FrameError("depth", f"{8 * picture.itemsize} bits a channel; save it with 8")
    check(picture)
    return np.asarray(picture, np.uint8)


def write(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, in the kind that its suffix names.

    OpenCV's own ``imwrite`` tells a full disk by its result alone, and ends the process over a name that is
    not UTF-8.

    Args:
        path: the file, which is replaced if it is there.
        picture: (H, W, 3) uint8 BGR, or (H, W) uint8, such as class ids.

    Raises:
        OSError: it cannot be written.
    """
    _, data = cv2.imencode(path.suffix, picture)
    with writing(path):
        path.write_bytes(data.tobytes())


def _checked(kind: str, data: bytes) -> Frame:
    """A picture of a kind whose structure is checked first, as that of camera messages is."""
    try:
        with opencv_silent():
            if kind == "WebP":
                return turn(decode(data), of_webp(data))
            return decode(data, upright=True)
    except FrameError as error:
        if error.reason == "depth":
            raise FrameError("depth", "more than 8 bits a channel; save it with 8") from error
        raise


def _require_colors(kind: str, data: bytes) -> None:
    """Refuse a picture that OpenCV would read without a complaint, but not as it is."""
    may_be_transparent = kind == "GIF"
    if kind == "TIFF":
        header = read_header(memoryview(data))
        may_be_transparent = header.has_alpha
    elif kind == "PNM" and (found := _PNM.match(data)):
        largest = int(found[4])
        if largest > 255:
            raise FrameError("depth", f"a PNM with values up to {largest}; save it with 8 bits")
        if largest < 255:  # OpenCV does not scale them
            raise FrameError("depth", f"a PNM with values up to {largest}; save it with values up to 255")
    if may_be_transparent:
        picture = _decoded(data, cv2.IMREAD_UNCHANGED, kind)
        if picture.ndim == 3 and picture.shape[2] == 4 and (picture[..., 3] != 255).any():
            # OpenCV darkens a TIFF's colours there, and fills a GIF's with its background.
            raise FrameError("encoding", f"a {kind} with transparent pixels; save it without transparency")


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
    values = _decoded(data, cv2.IMREAD_UNCHANGED, kinds.picture(data[: kinds.HEAD]) or "picture")
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
        if path.is_symlink() and not path.exists():
            raise FrameError("data", f"a link to {path.readlink()}, which does not exist") from error
        raise FrameError("data", f"cannot be read: {error.strerror}") from error
    if not data:
        raise FrameError("data", "the file is empty")
    return data


def _decoded(data: bytes, flags: int, kind: str) -> NDArray[Any]:
    try:
        with opencv_silent():
            picture: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise FrameError("data", f"corrupt: {error.err}") from error
    if picture is None:
        raise FrameError("data", f"a {kind} that is damaged, or that OpenCV cannot read; save it anew")
    return picture
