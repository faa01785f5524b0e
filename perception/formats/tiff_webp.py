"""Headers of TIFF and WebP data: size and depth before memory is allocated, and whether all data is there."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how the data begins; + is BigTIFF

# Tags of TIFF 6.0
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES = 273, 274, 277, 278, 279
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES, _FORMAT = 284, 322, 323, 324, 325, 339
_UNCOMPRESSED, _YCBCR, _SEPARATE_PLANES, _UPRIGHT = 1, 6, 2, 1
_UNSIGNED = (1, 4)  # sample formats: unsigned, and not said
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}  # field type: how numpy has it

_MAX_FIELDS = 4096
_MAX_TILE = 4096  # px; a tile may be larger than a small picture, but not by so much that memory runs out


class _Field(NamedTuple):
    type: int
    length: int  # values
    at: int  # byte at which the values are


def inspect_tiff(view: memoryview) -> tuple[int, int, int]:
    """(bits per channel, height, width) of a TIFF's first picture, all of whose data is there (TIFF 6.0).

    Raises:
        FrameError: reason data, or depth if the values are signed or floating-point.
    """
    try:
        fields = _fields(view)
        width, height = (_one(view, fields, tag) for tag in (_WIDTH, _HEIGHT))
        depth = int(_numbers(view, fields, _BITS, 1).max())
        if not np.isin(_numbers(view, fields, _FORMAT, 1), _UNSIGNED).all():
            raise FrameError("depth", "TIFF with signed or floating-point values; 8 bit unsigned is needed")
        _check_parts(view, fields, height, width, depth)
        _one(view, fields, _ORIENTATION, _UPRIGHT)
    except struct.error:
        raise FrameError("data", f"TIFF is cut short after {len(view)} bytes") from None
    return depth, height, width


def tiff_as_stored(view: memoryview) -> memoryview:
    """The same TIFF marked as upright: OpenCV always applies the orientation tag of a TIFF.

    Args:
        view: passed ``inspect_tiff``.
    """
    field = _fields(view).get(_ORIENTATION)
    if field is None or _one(view, {_ORIENTATION: field}, _ORIENTATION) == _UPRIGHT:
        return view
    data = bytearray(view)
    struct.pack_into(_order(view) + {1: "B", 3: "H", 16: "Q"}.get(field.type, "I"), data, field.at, _UPRIGHT)
    return memoryview(data)


def inspect_webp(view: memoryview) -> tuple[int, int, int]:
    """(8, height, width) of a WebP whose chunks are complete (RFC 9649); of an animation, its canvas."""
    canvas = picture = None
    has_frames = False
    try:
        (size,) = struct.unpack_from("<I", view, 4)
        end = 8 + size
        if end > len(view):
            raise FrameError("data", f"WebP is cut short after {len(view)} of {end} bytes")
        at = 12
        while at + 8 <= end:
            kind, length = struct.unpack_from("<4sI", view, at)
            at += 8
            if at + length > end:
                raise FrameError("data", f"WebP is corrupt at byte {at - 4}: a chunk goes beyond its end")
            if kind == b"VP8X":
                canvas = _int24(view, at + 7) + 1, _int24(view, at + 4) + 1
            elif kind in (b"VP8 ", b"VP8L") and picture is None:
                picture = _lossy_size(view, at) if kind == b"VP8 " else _lossless_size(view, at)
            has_frames |= kind == b"ANMF"
            at += length + length % 2
    except (struct.error, IndexError):
        raise FrameError("data", f"WebP is cut short after {len(view)} bytes") from None
    if canvas and picture and canvas != picture:
        raise FrameError("data", "WebP is corrupt: two different sizes")
    size_hw = picture or (canvas if has_frames else None)
    if size_hw is None:
        raise FrameError("data", "WebP without a picture in it")
    return 8, *size_hw


def _order(view: memoryview) -> str:
    """The byte order of a TIFF, as struct and numpy write it."""
    return "<" if view[0] == ord("I") else ">"


def _fields(view: memoryview) -> dict[int, _Field]:
    """The first directory of a TIFF, by tag."""
    order = _order(view)
    is_big = ord("+") in view[2:4]
    count_format, field_format, inline = ("Q", "HHQ", 8) if is_big else ("H", "HHI", 4)
    offset_format = order + ("Q" if is_big else "I")
    (at,) = struct.unpack_from(offset_format, view, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + count_format, view, _inside(view, at))
    if count > _MAX_FIELDS:
        raise FrameError("data", f"TIFF is corrupt at byte {at}: a directory of {count} fields")
    at += struct.calcsize(order + count_format)
    fields: dict[int, _Field] = {}
    for _ in range(count):
        tag, type_, length = struct.unpack_from(order + field_format, view, at)
        at += struct.calcsize(order + field_format)
        (elsewhere,) = struct.unpack_from(offset_format, view, at)
        size = np.dtype(_INTEGERS.get(type_, "u1")).itemsize
        fields.setdefault(tag, _Field(type_, length, at if length * size <= inline else elsewhere))
        at += inline
    return fields


def _inside(view: memoryview, at: int) -> int:
    if at >= len(view):  # struct would raise OverflowError for some of these
        raise struct.error
    return at


def _numbers(
    view: memoryview, fields: dict[int, _Field], tag: int, default: int | None = None
) -> NDArray[np.uint64]:
    """All values of a field; without a default, the field has to be there."""
    field = fields.get(tag)
    if field is None and default is not None:
        return np.array([default], np.uint64)
    if field is None or not field.length or field.type not in _INTEGERS:
        raise FrameError("data", f"TIFF is corrupt: field {tag} is missing or has no numbers")
    kind = np.dtype(_order(view) + _INTEGERS[field.type])
    if field.at + field.length * kind.itemsize > len(view):
        raise struct.error
    return np.frombuffer(view, kind, field.length, field.at).astype(np.uint64)


def _one(view: memoryview, fields: dict[int, _Field], tag: int, default: int | None = None) -> int:
    return int(_numbers(view, fields, tag, default)[0])


def _check_parts(view: memoryview, fields: dict[int, _Field], height: int, width: int, depth: int) -> None:
    """Check that every strip or tile of the picture is within the data."""
    samples = _one(view, fields, _SAMPLES, 1)
    is_tiled = _TILE_OFFSETS in fields
    if is_tiled:
        part_w, part_h = (_one(view, fields, tag) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
        if part_w > max(width, _MAX_TILE) or part_h > max(height, _MAX_TILE):
            raise FrameError("data", f"TIFF is corrupt: tiles of {part_w}x{part_h} pixels")
    else:
        part_w, part_h = width, min(_one(view, fields, _ROWS_PER_STRIP, height), height)
    if not (part_w and part_h and samples):
        raise FrameError("data", f"TIFF is corrupt: parts of {part_w}x{part_h} pixels, {samples} channels")
    planes = samples if _one(view, fields, _PLANAR, 1) == _SEPARATE_PLANES else 1
    wanted = -(-height // part_h) * -(-width // part_w) * planes
    offsets = _numbers(view, fields, _TILE_OFFSETS if is_tiled else _STRIP_OFFSETS)
    sizes = _numbers(view, fields, _TILE_BYTES if is_tiled else _STRIP_BYTES)
    if min(len(offsets), len(sizes)) < wanted:
        raise FrameError("data", f"TIFF is corrupt: {min(len(offsets), len(sizes))} of {wanted} parts")
    offsets, sizes = offsets[:wanted], sizes[:wanted]
    total = np.uint64(len(view))
    if (sizes > total).any() or (offsets > total - sizes).any():
        raise FrameError("data", f"TIFF is cut short after {len(view)} bytes")
    row_bytes = -(-part_w * depth * (1 if planes > 1 else samples) // 8)
    rows = wanted * part_h if is_tiled else height * planes
    is_plain = _one(view, fields, _COMPRESSION, 1) == _UNCOMPRESSED
    # Chroma of fewer pixels, as YCbCr may have it, takes less.
    is_plain &= _one(view, fields, _PHOTOMETRIC, 1) != _YCBCR
    if (sizes == 0).any() or (is_plain and int(sizes.sum()) < rows * row_bytes):
        raise FrameError("data", "TIFF is corrupt: parts with fewer bytes than their pixels take")


def _int24(view: memoryview, at: int) -> int:
    low, high = struct.unpack_from("<HB", view, at)
    return int(low | high << 16)


def _lossy_size(view: memoryview, at: int) -> tuple[int, int]:
    """(height, width) of a VP8 key frame."""
    start, width, height = struct.unpack_from("<3sHH", view, at + 3)
    if start != b"\x9d\x01\x2a":
        raise FrameError("data", f"WebP is corrupt at byte {at + 3}")
    return height & 0x3FFF, width & 0x3FFF


def _lossless_size(view: memoryview, at: int) -> tuple[int, int]:
    """(height, width) of VP8L data: 14 bits each, less one."""
    signature, bits = struct.unpack_from("<BI", view, at)
    if signature != 0x2F:
        raise FrameError("data", f"WebP is corrupt at byte {at}")
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
