"""What every data set becomes: lists of image files with their class or mask, and tensors in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.errors import FrameError
from perception.frames import check, resize
from perception.recordings.sources import PICTURES
from perception.spec import Color
from training.malloc import free

LEARNT_VAL = "the validation pictures among them"  # in the spec of a model that has learnt from them


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

    @property
    def kept_aside(self) -> str:
        """Fingerprint of the pictures to validate on."""
        return fingerprint(image.path.stem for image in self.val)


def require_folder(root: Path) -> None:
    """Tell a wrong path from a wrong layout.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; check the path of the data set")


def require_labels(data: tuple[str, ...], model: tuple[str, ...], where: Path) -> None:
    """Refuse to bring classes together that are not the same.

    Raises:
        DataError: naming the first difference.
    """
    if data != model:
        differing = [f"{a!r} against {b!r}" for a, b in zip(data, model) if a != b] or [
            "the number of classes"
        ]
        raise DataError(
            f"{where} has {len(data)} classes, the model {len(model)}; first difference: {differing[0]}"
        )


def fingerprint(names: Iterable[str]) -> str:
    """Tells one choice of pictures, or of tracks, from another.

    One more picture may change the choice in all that follow, and a model would be measured on what it has
    learnt.
    """
    text = "\n".join(sorted(set(names)))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is some program's own, a thumbnail or the like."""
    return path.name.startswith(".") or path.name in ("__MACOSX", "@eaDir")


def files(folder: Path) -> list[Path]:
    """All pictures directly in a folder, sorted by name; hidden ones are none."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in PICTURES and not is_hidden(path)
    )


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8 BGR, upright if it tells its orientation (EXIF).

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return decode_bgr(path)
    except DataError as error:
        raise DataError(
            f"{path} cannot be read as a picture ({error}); mend it or take it out of the data set"
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
    return ids[mask]


def decode_bgr(path: Path) -> NDArray[np.uint8]:
    """As :func:`read_bgr`, but an error does not name the file.

    Raises:
        DataError: what is wrong with the file; more than 8 bits a channel would be dark. Cameras on the car
            are refused for them, too, and for as many pixels.
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
        data = path.read_bytes()  # OpenCV itself cannot open a path that is not UTF-8, and dies of it
    except OSError as error:
        raise DataError(error.strerror) from error
    if not data:
        raise DataError("the file is empty")
    # OpenCV fills the rest of a cut-off JPEG with grey and says nothing.
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
    if (needed := 3 * len(paths) * height * width) > (there := free()):
        raise DataError(
            f"{len(paths)} pictures of {width}x{height} take {needed / 1e9:.1f} GB of memory, and "
            f"{there / 1e9:.1f} GB are free; lower --data.size (signs) or --data.size_hw (masks)"
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
