"""What every data set becomes: lists of image files with their class, their boxes or their mask."""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perception.errors import InputError
from perception.folders import NOTES, describe, is_hidden, list_pictures
from perception.spec import Color

Outline = tuple[tuple[float, float], ...]

__all__ = [
    "BoxImage",
    "BoxSet",
    "DataError",
    "MaskImage",
    "MaskSet",
    "Outline",
    "SignImage",
    "SignSet",
    "files",
    "is_hidden",
    "require_folder",
    "require_labels",
]

_log = logging.getLogger(__name__)


class DataError(Exception):
    """A data set that cannot be used; the message names the file or folder and what was expected there."""


@dataclass(frozen=True)
class SignImage:
    """One crop. Crops with the same ``track`` show the same physical sign and stay on one side of a split.

    Attributes:
        path: of the picture.
        class_id: index of its class.
        track: of the physical sign.
        part: on which side it is if the data set is split already; empty if training shall split it.
    """

    path: Path
    class_id: int
    track: str
    part: Literal["", "train", "val"] = ""


@dataclass(frozen=True)
class MaskImage:
    """One street picture and its label image (class ids as bytes, see ``ids`` of the data set)."""

    path: Path
    mask_path: Path


@dataclass(frozen=True)
class BoxImage:
    """One street picture and the boxes of the things in it.

    Attributes:
        path: of the picture.
        boxes: x1, y1, x2, y2 of each, as the file of boxes has them, even if they are impossible: in pixels
            of the upright picture, or in shares of its width and height.
        class_ids: index of each box's class.
        part: on which side it is if the data set is split already; empty if training shall split it.
        in_shares: which of the two.
        size_wh: of the picture, as the file of boxes has it, px; (0, 0) if it does not say.
    """

    path: Path
    boxes: tuple[tuple[float, float, float, float], ...]
    class_ids: tuple[int, ...]
    part: Literal["", "train", "val"] = ""
    in_shares: bool = False
    size_wh: tuple[int, int] = (0, 0)

    def pixels(self, size_hw: tuple[int, int]) -> NDArray[np.float32]:
        """(M, 4) xyxy px of a picture of this size."""
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        height, width = size_hw
        return boxes * np.array([width, height] * 2, np.float32) if self.in_shares else boxes


@dataclass(frozen=True)
class BoxSet:
    """A data set of boxes in street pictures.

    Attributes:
        name: for the model's spec.
        labels: class names; the index is the class id.
        images: all pictures to train and to validate on, those without boxes included.
    """

    name: str
    labels: tuple[str, ...]
    images: tuple[BoxImage, ...]


@dataclass(frozen=True)
class SignSet:
    """A classification data set.

    Attributes:
        name: for the model's spec.
        labels: class names; the index is the class id.
        images: all training images.
        flips: the class of each class's mirror image; a class that is missing must not be flipped.
        box_margin: how far around the sign the images reach, as a share of its size.
        outlines: corners of the signs of each class, (x, y) as shares of an image that has the margin; none
            is a disc. A class that is missing has an outline that nobody knows.
    """

    name: str
    labels: tuple[str, ...]
    images: tuple[SignImage, ...]
    flips: dict[int, int] = field(default_factory=dict)
    box_margin: float = 0.0
    outlines: dict[int, Outline] = field(default_factory=dict)


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
    """Refuse a wrong path before its layout is looked at.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; check the path of the data set")


def require_labels(data: tuple[str, ...], model: tuple[str, ...], where: Path) -> None:
    """Refuse data whose classes are not the model's.

    Raises:
        DataError: naming the first difference.
    """
    # An earlier release kept names in the form in which a Mac writes them.
    data, model = (tuple(unicodedata.normalize("NFC", name) for name in names) for names in (data, model))
    if data != model:
        differing = [f"{a!r} against {b!r}" for a, b in zip(data, model) if a != b] or [
            "the number of classes"
        ]
        raise DataError(
            f"{where} has {len(data)} classes, the model {len(model)}; first difference: {differing[0]}"
        )


def files(folder: Path) -> list[Path]:
    """All pictures directly in a folder, in natural order; hidden ones are none.

    Pictures and videos that cannot be used are named once in a warning.

    Raises:
        DataError: the folder cannot be listed.
    """
    try:
        listing = list_pictures(folder)
    except InputError as error:
        raise DataError(str(error)) from error
    for text in describe(folder, listing, without=NOTES):
        _warn_once(text)
    return list(listing.pictures)


@cache
def _warn_once(text: str) -> None:
    """Folders are listed several times: by the check, and to read them."""
    _log.warning("%s", text)
