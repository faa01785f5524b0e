"""TIFF data: what is in its first picture, before OpenCV turns it into something else."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from perception.errors import FrameError

MAX_PAGES = 10_000  # links that go in a circle end there

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA, _FORMAT = 256, 257, 258, 262, 277, 338, 339
_ORIENTATION = 274
_READ = (_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _EXTRA, _FORMAT, _ORIENTATION)
_UNSIGNED = 1
# numbers that the tags above may be made of: type → code of struct
_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_COLORS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr"}
_SPACES = {8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "raw camera data", 34892: "raw camera data"}


@dataclass(frozen=True)
class Header:
    """The first picture of a TIFF.

    Attributes:
        bits: per channel.
        height: px.
        width: px.
        has_alpha: whether there are channels beside the colours.
        pages: how many pictures the file holds.
    """

    bits: int
    height: int
    width: int
    has_alpha: bool
    pages: int


def read_header(view: memoryview) -> Header:
    """Read the header of a TIFF (TIFF 6.0, section 2; BigTIFF).

    Raises:
        FrameError: data, if it is cut short; depth or encoding, if its values are no colours of 8 bits.
    """
    order = "<" if bytes(view[:2]) == b"II" else ">"
    try:
        is_big = struct.unpack_from(f"{order}H", view, 2)[0] == 43
        tags, following = _directory(view, order, _first(view, order, is_big=is_big), is_big=is_big)
        pages = 1
        seen = set()
        while following and following not in seen and pages < MAX_PAGES:
            seen.add(following)
            _, following = _directory(view, order, following, is_big=is_big)
            pages += 1
    except (struct.error, IndexError, OverflowError):
        raise FrameError("data", f"TIFF is cut short after {len(view)} bytes") from None
    bits = max(tags.get(_BITS, (1,)))
    if bits > 8 or max(tags.get(_FORMAT, (_UNSIGNED,))) != _UNSIGNED:
        what = {2: "signed values", 3: "floating-point values"}.get(max(tags.get(_FORMAT, (1,))), "values")
        raise FrameError("depth", f"{what} of {bits} bits a channel; save it with 8 unsigned bits")
    (colors, *_) = tags.get(_PHOTOMETRIC, (1,))
    if colors not in _COLORS:
        raise FrameError("encoding", f"a TIFF of {_SPACES.get(colors, 'unknown colours')}; save it as RGB")
    try:
        (width, *_), (height, *_) = tags[_WIDTH], tags[_HEIGHT]
    except KeyError:
        raise FrameError("data", "TIFF without a picture in it") from None
    return Header(bits, height, width, _EXTRA in tags and tags.get(_SAMPLES, (1,))[0] > 1, pages)


def orientation(view: memoryview) -> int:
    """The orientation tag of a TIFF, which EXIF data is as well: 1 to 8; 1 if there is none to use."""
    order = "<" if bytes(view[:2]) == b"II" else ">"
    try:
        tags, _ = _directory(view, order, _first(view, order, is_big=False), is_big=False)
    except (struct.error, IndexError, OverflowError):
        return 1
    (value, *_) = tags.get(_ORIENTATION, (1,))
    return value if 1 <= value <= 8 else 1


def _first(view: memoryview, order: str, *, is_big: bool) -> int:
    offset: int = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", view, 8 if is_big else 4)[0]
    return offset


def _directory(
    view: memoryview, order: str, at: int, *, is_big: bool
) -> tuple[dict[int, tuple[int, ...]], int]:
    """The tags of a picture that hold numbers, and where the next picture is."""
    number, offset = ("Q", "Q") if is_big else ("H", "I")
    (count,) = struct.unpack_from(order + number, view, at)
    at += struct.calcsize(number)
    size = 20 if is_big else 12
    inline = 8 if is_big else 4
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(at, at + count * size, size):
        tag, kind, values = struct.unpack_from(f"{order}HH{offset}", view, entry)
        code = _TYPES.get(kind)
        if tag not in _READ or code is None:
            continue
        where = entry + size - inline
        values = min(values, 16)  # one for each channel
        if values * struct.calcsize(code) > inline:
            (where,) = struct.unpack_from(order + offset, view, where)
        tags[tag] = struct.unpack_from(f"{order}{values}{code}", view, where)
    (following,) = struct.unpack_from(order + offset, view, at + count * size)
    return {tag: values for tag, values in tags.items() if values}, following
