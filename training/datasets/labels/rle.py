"""Run lengths: the three ways in which COCO, CVAT and Label Studio write the pixels of a shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def decode(counts: Sequence[int], size_hw: tuple[int, int], *, by_columns: bool = False) -> Mask:
    """Pixels from the lengths of their runs, of which the first is of pixels outside.

    Args:
        counts: the lengths; CVAT goes by rows, COCO by columns.
        size_hw: of what they cover.
        by_columns: which of the two.

    Raises:
        ValueError: they do not add up to that size.
    """
    runs = np.asarray(counts, np.int64)
    height, width = size_hw
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"the runs cover {runs.sum()} pixels; expected {width}×{height}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(size_hw, order="F" if by_columns else "C"))


def encode(mask: Mask, *, by_columns: bool = False) -> list[int]:
    """The lengths of the runs, see :func:`decode`."""
    flat = mask.ravel(order="F" if by_columns else "C")
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate([[0], changes, [flat.size]])
    runs: list[int] = np.diff(ends).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def coco_counts(text: str) -> list[int]:
    """The lengths that COCO writes as text.

    A character has 5 bits of a number. From the fourth on, a length is written as the difference to that two
    before.

    Raises:
        ValueError: a character is none of such a text, or it ends within a number.
    """
    counts: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or bits > 60:
            raise ValueError(f"{character!r} is no character of run lengths")
        value |= (code & 0x1F) << bits
        bits += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << bits
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = bits = 0
    if bits:
        raise ValueError("the text of run lengths ends too early")
    return counts


def decode_label_studio(data: Sequence[int], size_hw: tuple[int, int]) -> Mask:
    """The pixels that a brush of Label Studio has painted, from its bytes.

    A header has the number of values (32 bits), the width of a value less 1 (5) and four widths of lengths
    less 1 (4 each). Then, until all values are there: whether one value is repeated (1), which of the widths
    (2), the number of values less 1, and the value or the values. They are RGBA, of which the
    last of each four counts.

    Raises:
        ValueError: they end too early, or are for another size.
    """
    height, width = size_hw
    stream = _Bits(bytes(data))
    total, value_bits = stream.read(32), stream.read(5) + 1
    widths = [stream.read(4) + 1 for _ in range(4)]
    if total != 4 * height * width:
        raise ValueError(f"the brush covers {total // 4} pixels; expected {width}×{height}")
    values = np.zeros(total, np.uint8)
    at = 0
    while at < total:
        is_run = stream.read(1)
        end = at + 1 + stream.read(widths[stream.read(2)])
        if is_run:
            values[at:end] = stream.read(value_bits) & 0xFF
        else:
            for one in range(at, min(end, total)):
                values[one] = stream.read(value_bits) & 0xFF
        at = end
    return values.reshape(height, width, 4)[..., 3] > 0


class _Bits:
    """Bits of bytes, from the highest on."""

    def __init__(self, data: bytes) -> None:
        self.bits = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def read(self, count: int) -> int:
        """The next bits as a number."""
        text = self.bits[self.at : self.at + count]
        if len(text) < count:
            raise ValueError("the pixels of the brush end too early")
        self.at += count
        return int(text, 2)
