"""Boxes in street pictures, in whichever form they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.datasets import gtsdb
from training.datasets.images import BoxImage, BoxSet, DataError, require_folder


def read(root: Path) -> BoxSet:
    """Read a data set of boxes.

    Raises:
        DataError: the folder is missing, or has none of the forms.
    """
    require_folder(root)
    if gtsdb.is_gtsdb(root):
        return gtsdb.read(root)
    raise DataError(f"{root} has no gt.txt (GTSDB)")


def is_boxes(root: Path) -> bool:
    """Whether the folder has one of these forms."""
    return gtsdb.is_gtsdb(root)


def split(images: Sequence[BoxImage], *, val_fraction: float) -> tuple[list[BoxImage], list[BoxImage]]:
    """Split street pictures: every n-th validates, so that all of a drive is on both sides.

    A data set that is split already stays as it is.

    Returns:
        Pictures to learn from, and pictures to validate on.

    Raises:
        DataError: the share is not between 0 and 1.
    """
    if not 0 < val_fraction < 1:
        raise DataError(f"val_fraction is {val_fraction}; expected a share between 0 and 1, as 0.2")
    if any(image.part for image in images):
        return [i for i in images if i.part != "val"], [i for i in images if i.part == "val"]
    every = max(2, round(1 / val_fraction))
    is_val = [number % every == every - 1 for number in range(len(images))]
    return (
        [image for image, aside in zip(images, is_val) if not aside],
        [image for image, aside in zip(images, is_val) if aside],
    )
