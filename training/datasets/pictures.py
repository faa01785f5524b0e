"""Picture files and label images of data sets, one by one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import pictures
from perception.errors import FrameError
from perception.frames import Frame
from training.datasets.images import DataError

ORIENTATION_MARKS = (b"Exif", b"eXIf", b"EXIF")  # of JPEG, PNG and WebP
TIFF = (b"II*\0", b"MM\0*")


def read_bgr(path: Path) -> Frame:
    """Read a picture as (H, W, 3) uint8 BGR, upright if the file gives its orientation (EXIF).

    Raises:
        DataError: it is missing or damaged, or the car would refuse it.
    """
    try:
        return pictures.read(path)
    except FrameError as error:
        raise DataError(
            f"{path} cannot be read as a picture ({error}); fix it or take it out of the data set"
        ) from error


def is_turned(path: Path) -> bool:
    """Whether :func:`read_bgr` turns or mirrors a picture because its file says so (EXIF).

    A label image has no such entry, so nothing says which way round it is.

    Raises:
        DataError: it cannot be read.
    """
    data = path.read_bytes() if path.is_file() else b""
    if not any(mark in data for mark in ORIENTATION_MARKS) and not data.startswith(TIFF):
        return False
    upright = read_bgr(path)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return stored is None or not np.array_equal(upright, stored)


def require_unturned(path: Path) -> None:
    """Refuse a picture with a label image if it is turned when it is read, see :func:`is_turned`.

    Raises:
        DataError: it is.
    """
    if is_turned(path):
        raise DataError(
            f"{path} is turned when it is read, because its file says so (EXIF), and nothing says whether "
            "its label image is; save the picture without orientation (docs/training.md says how)"
        )


def read_mask(path: Path, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read a label image as (H, W) uint8 class ids, 255 where it does not count.

    Raises:
        DataError: it is missing, damaged, or not one byte a pixel.
    """
    try:
        values = pictures.read_ids(path)
    except FrameError as error:
        if error.reason == "encoding":
            raise DataError(f"{path} holds {error}; label images hold one byte a pixel") from error
        raise DataError(f"{path} cannot be read as a label image ({error})") from error
    return np.asarray(ids[values])
