"""What every data set becomes: lists of image files with their class or mask, and tensors in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.frames import resize
from perception.spec import Color

LEARNT_VAL = "the validation pictures among them"  # in the spec of a model that train_on_val made
IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm")


class DataError(Exception):
    """A data set that cannot be used; the message names the file or folder and what was expected there."""


@dataclass(frozen=True)
class SignImage:
    """One crop. Crops with the same ``track`` show the same physical sign and never part at a split."""

    path: Path
    class_id: int
    track: str


@dataclass(frozen=True)
class MaskImage:
    """One street picture and its label image (class ids as bytes, see ``ids`` of the data set)."""

    path: Path
    mask_path: Path


@dataclass(frozen=True)
class SignSet:
    """A classification data set.

    Attributes:
        name: for the model's spec.
        labels: class names; the index is the class id.
        images: all training images.
        flips: the class of each class's mirror image; a class that is missing must not be flipped.
        box_margin: how far around the sign the images reach, as a share of its size.
    """

    name: str
    labels: tuple[str, ...]
    images: tuple[SignImage, ...]
    flips: dict[int, int] = field(default_factory=dict)
    box_margin: float = 0.0


@dataclass(frozen=True)
class MaskSet:
    """A segmentation data set.

    Attributes:
        name: for the model's spec.
        labels: class names; the index is the class id.
        palette: one (R, G, B) per label.
        train: pictures to train on.
        val: pictures to validate on.
        ids: 256 bytes; the class id for each value in a label image, 255 where it does not count.
    """

    name: str
    labels: tuple[str, ...]
    palette: tuple[Color, ...]
    train: tuple[MaskImage, ...]
    val: tuple[MaskImage, ...]
    ids: NDArray[np.uint8]


def require_folder(root: Path) -> None:
    """Tell a wrong path from a wrong layout.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; check the path of the data set")


def files(folder: Path) -> list[Path]:
    """All pictures directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 BGR.

    Raises:
        DataError: it is missing or damaged.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path} cannot be read as a picture; mend it or take it out of the data set")
    return image


def read_mask(path: Path, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read a label image as (H, W) uint8 class ids, 255 where it does not count.

    Raises:
        DataError: it is missing, damaged, or not one byte a pixel.
    """
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DataError(f"{path} cannot be read as a label image")
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise DataError(
            f"{path} has shape {mask.shape} and type {mask.dtype}; label images hold one byte a pixel"
        )
    return ids[mask]


def load_frames(paths: Sequence[Path], size_hw: tuple[int, int]) -> Tensor:
    """Read pictures into memory, resized as the car resizes: (N, 3, H, W) uint8 BGR."""
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
