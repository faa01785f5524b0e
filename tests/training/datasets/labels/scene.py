"""One scene that every tool labels: a floor, a line on it that goes around a hole, and a sign."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

SIZE_HW = (48, 64)
NAMES = ("drive_1", "drive_2")
LABELS = ("floor", "line", "sign")
# Class, kind, and corners; the kind "mask" is of ring_mask(). Later ones lie on top.
SHAPES = (
    ("floor", "polygon", ((4.0, 20.0), (60.0, 20.0), (60.0, 44.0), (4.0, 44.0))),
    ("line", "mask", ()),
    ("sign", "polygon", ((40.0, 6.0), (52.0, 6.0), (52.0, 26.0), (40.0, 26.0))),
    ("line", "box", (6, 40, 30, 43)),
)


def ring_mask() -> np.ndarray:
    """A frame of 2 px around a hole."""
    mask = np.zeros(SIZE_HW, bool)
    mask[24:36, 10:30] = True
    mask[26:34, 12:28] = False
    return mask


def mask(*, kinds: tuple[str, ...] = ("polygon", "mask", "box")) -> np.ndarray:
    """Class ids of the scene, 255 where nothing is."""
    ids = np.full(SIZE_HW, 255, np.uint8)
    for label, kind, points in SHAPES:
        if kind not in kinds:
            continue
        ids[area(kind, points)] = LABELS.index(label)
    return ids


def area(kind: str, points: tuple) -> np.ndarray:
    """The pixels of one shape."""
    if kind == "mask":
        return ring_mask()
    x1, y1, x2, y2 = points if kind == "box" else (*points[0], *points[2])
    filled = np.zeros(SIZE_HW, bool)
    filled[int(y1) : int(y2), int(x1) : int(x2)] = True
    return filled


def picture(name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB, another for each name."""
    rng = np.random.default_rng(NAMES.index(name))
    coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)


def write_png(path: Path, rgb: np.ndarray) -> None:
    """Write a PNG with the standard library alone, because each tool has another one for pictures."""
    height, width = rgb.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
