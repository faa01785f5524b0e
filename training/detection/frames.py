"""Decoded street pictures, ready to be cropped: in a file of their own, because they are gigabytes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from perception.detection import rescale
from perception.frames import Frame
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr


class Frames(Sequence[Frame]):
    """Pictures of any sizes, decoded once. Small ones are enlarged and huge ones shrunk, as on the car.

    They are in a temporary file that goes with the object or the process. The system keeps its pages in
    memory while there is room, and all processes of the loader share them.

    Args:
        paths: of the pictures.
        enlarge_to: see ``ModelSpec``.

    Attributes:
        sizes_hw: of the pictures before they were scaled, px.

    Raises:
        DataError: a picture cannot be read, or the disk has no room for all.
    """

    def __init__(self, paths: Sequence[Path], *, enlarge_to: int) -> None:
        self.sizes_hw: list[tuple[int, int]] = []
        self._places: list[tuple[int, tuple[int, int]]] = []
        end = 0
        with tempfile.TemporaryFile() as file:
            for path in paths:
                picture = read_bgr(path)
                frame = np.ascontiguousarray(rescale(picture, enlarge_to))
                height, width = frame.shape[:2]
                self.sizes_hw.append((picture.shape[0], picture.shape[1]))
                try:
                    file.write(frame.data)
                except OSError as error:
                    raise DataError(
                        f"{tempfile.gettempdir()} has no room for the decoded pictures ({error.strerror}): "
                        f"{end / 1e9:.1f} GB were written; set TMPDIR to a larger disk"
                    ) from error
                self._places.append((end, (height, width)))
                end += 3 * height * width
            file.flush()
            self._bytes = np.memmap(file, np.uint8, "r") if end else np.empty(0, np.uint8)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        start, (height, width) = self._places[index]
        return self._bytes[start : start + 3 * height * width].reshape(height, width, 3)


def padded(frame: Frame, stride: int) -> Frame:
    """A frame with black at the right and below, up to a multiple of the stride, as the car pads it."""
    below, right = (-size % stride for size in frame.shape[:2])
    return np.pad(frame, ((0, below), (0, right), (0, 0))) if below or right else frame
