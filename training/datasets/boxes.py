"""Boxes in street pictures, in whichever form they are written: GTSDB, COCO, YOLO or Pascal VOC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.datasets import coco, gtsdb, voc, yolo
from training.datasets.images import BoxImage, BoxSet, DataError, require_folder


@dataclass(frozen=True)
class Form:
    """One way to write boxes.

    Attributes:
        name: of the form.
        claims: whether a folder has it.
        read: the folder to its pictures and boxes.
    """

    name: str
    claims: Callable[[Path], bool]
    read: Callable[[Path], BoxSet]


FORMS = (  # the surest first
    Form("GTSDB", gtsdb.is_gtsdb, gtsdb.read),
    Form("COCO", coco.is_coco, coco.read),
    Form("YOLO", yolo.is_yolo, yolo.read),
    Form("Pascal VOC", voc.is_voc, voc.read),
)


def form_of(root: Path) -> Form | None:
    """The form of a folder's boxes; None if it has none."""
    return next((form for form in FORMS if form.claims(root)), None)


def read(root: Path) -> BoxSet:
    """Read a data set of boxes.

    Raises:
        DataError: the folder is missing, has none of the forms, or a file in it cannot be used.
    """
    require_folder(root)
    form = form_of(root)
    if form is None:
        raise DataError(
            f"{root} has no boxes: neither gt.txt (GTSDB), a JSON file of COCO, data.yaml (YOLO) nor XML "
            "files of Pascal VOC; docs/training.md describes the forms"
        )
    return form.read(root)


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
