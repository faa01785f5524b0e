"""Picture files and label images: one by one, or all of a data set into memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.errors import FrameError
from perception.frames import check, resize
from training.datasets.images import DataError, MaskImage
from training.malloc import free


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 BGR, upright if the file gives its orientation (EXIF).

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return decode_bgr(path)
    except DataError as error:
        raise DataError(
            f"{path} cannot be read as a picture ({error}); fix it or take it out of the data set"
        ) from error


def read_mask(path: Path, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read a label image as (H, W) uint8 class ids, 255 where it does not count.

    Raises:
        DataError: it is missing, damaged, or not one byte a pixel.
    """
    try:
        mask = decode(path, cv2.IMREAD_UNCHANGED)
    except DataError as error:
        raise DataError(f"{path} cannot be read as a label image ({error})") from error
    if problem := not_ids(path, mask):
        raise DataError(f"{path} holds {problem}; label images hold one byte a pixel")
    return np.asarray(ids[mask])


def decode_bgr(path: Path) -> NDArray[np.uint8]:
    """As :func:`read_bgr`, but an error does not name the file.

    Raises:
        DataError: what is wrong with the file; more than 8 bits a channel would be dark. The car refuses
            cameras with so many bits, or so many pixels, too.
    """
    image = decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if image.dtype != np.uint8:
        raise DataError(f"{8 * image.itemsize} bits a channel; save it with 8")
    try:
        check(image)
    except FrameError as error:
        raise DataError(str(error)) from error
    return image


def decode(path: Path, flags: int) -> NDArray[Any]:
    """Read a picture, and say more than OpenCV about one that is damaged.

    Raises:
        DataError: what is wrong with the file, which is not named.
    """
    try:
        data = path.read_bytes()  # OpenCV itself crashes on a path that is not UTF-8
    except OSError as error:
        raise DataError(error.strerror) from error
    if not data:
        raise DataError("the file is empty")
    # OpenCV fills the rest of a cut-off JPEG with grey and reports nothing.
    is_cut_jpeg = data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data[max(0, data.find(b"\xff\xda")) :]
    is_cut_png = data.startswith(b"\x89PNG") and b"IEND" not in data
    if is_cut_jpeg or is_cut_png:
        raise DataError(f"cut off after {len(data)} bytes")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DataError(error.err) from error
    if image is None:
        raise DataError("no picture, or damaged")
    return image


def not_ids(path: Path, mask: NDArray[Any]) -> str:
    """What a label image holds instead of one byte a pixel; nothing if it is as it should be."""
    with path.open("rb") as file:
        head = file.read(26)
    # Byte 24 of a PNG is its depth and byte 25 its colour type. OpenCV reads type 3, a palette, as colours,
    # and spreads the values of less than 8 bits over 0…255.
    depth, is_indexed = (head[24], head[25] == 3) if head.startswith(b"\x89PNG") else (8, False)
    if is_indexed:
        return "an indexed PNG"
    if mask.ndim != 2:
        return "colours"
    if mask.dtype != np.uint8:
        return f"values of type {mask.dtype}"
    return f"{depth}-bit values" if depth < 8 else ""


def load_frames(paths: Sequence[Path], size_hw: tuple[int, int]) -> Tensor:
    """Read pictures into memory, resized as the car resizes: (N, 3, H, W) uint8 BGR.

    Raises:
        DataError: one cannot be read, or memory is too small for all.
    """
    height, width = size_hw
    if (needed := 3 * len(paths) * height * width) > (available := free()):
        raise DataError(
            f"{len(paths)} pictures of {width}x{height} take {needed / 1e9:.1f} GB of memory, and "
            f"{available / 1e9:.1f} GB are free; lower --data.size or --data.size_hw"
        )
    frames = np.empty((len(paths), *size_hw, 3), np.uint8)
    for frame, path in zip(frames, paths):
        frame[:] = resize(read_bgr(path), size_hw)
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def load_masks(images: Sequence[MaskImage], size_hw: tuple[int, int], ids: NDArray[np.uint8]) -> Tensor:
    """Read label images into memory: (N, H, W) uint8 class ids, 255 = unlabelled."""
    masks = np.empty((len(images), *size_hw), np.uint8)
    height, width = size_hw
    for mask, image in zip(masks, images):
        mask[:] = cv2.resize(
            read_mask(image.mask_path, ids), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
    return torch.from_numpy(masks)
