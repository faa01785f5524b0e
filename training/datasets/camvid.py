"""CamVid (Brostow et al. 2009) as the SegNet tutorial splits it: 367 train, 101 val, 480×360, 11 classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.tasks import UNLABELLED
from training.datasets import parts
from training.datasets.folders import describe, mask_of, with_partners
from training.datasets.images import DataError, MaskImage, MaskSet, files

CLASSES = {
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (60, 40, 222),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}


def is_camvid(root: Path) -> bool:
    """Whether the folder has the tutorial's layout."""
    return parts.part(root, "train", suffix="annot").is_dir()


def read(root: Path) -> MaskSet:
    """Read ``root/{train,val}/*`` with ``root/{train,val}annot/*.png`` (ids 0…10, 11 = void).

    ``val`` may be ``valid`` or ``validation``.

    With a ``classes.json`` it is another data set in CamVid's layout, and the file names its classes.

    Raises:
        DataError: a part or a partner is missing, or the description cannot be used.
    """
    name, labels, palette = "CamVid", tuple(CLASSES), tuple(CLASSES.values())
    if (root / "classes.json").is_file():
        name, (labels, palette) = root.resolve().name, describe(root)
    elif (root / "label_colors.txt").is_file():
        raise DataError(
            f"{root / 'label_colors.txt'} is of CVAT's export, so the classes may be others than CamVid's; "
            "list them in classes.json in the order of their ids in the label images"
        )
    ids = np.full(256, UNLABELLED, np.uint8)
    ids[: len(labels)] = np.arange(len(labels))
    return MaskSet(name, labels, palette, _part(root, "train"), _part(root, "val"), ids)


def _part(root: Path, split: str) -> tuple[MaskImage, ...]:
    folder, masks = folders_of(root, split)
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; its pictures belong to the label images in {masks}")
    return with_partners(folder, [MaskImage(path, mask_of(path, masks)) for path in files(folder)])


def folders_of(root: Path, split: str) -> tuple[Path, Path]:
    """The pictures and the label images of ``train`` or ``val``."""
    return parts.part(root, split), parts.part(root, split, suffix="annot")
