"""Cityscapes (Cordts et al. 2016): leftImg8bit and gtFine, 19 evaluation classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perception.tasks import UNLABELLED
from training.datasets.folders import with_partners
from training.datasets.images import DataError, MaskImage, MaskSet, is_hidden

# Name: (id in *_labelIds.png, colour); all other ids do not count in the benchmark.
CLASSES = {
    "Road": (7, (128, 64, 128)),
    "Sidewalk": (8, (244, 35, 232)),
    "Building": (11, (70, 70, 70)),
    "Wall": (12, (102, 102, 156)),
    "Fence": (13, (190, 153, 153)),
    "Pole": (17, (153, 153, 153)),
    "Traffic light": (19, (250, 170, 30)),
    "Traffic sign": (20, (220, 220, 0)),
    "Vegetation": (21, (107, 142, 35)),
    "Terrain": (22, (152, 251, 152)),
    "Sky": (23, (70, 130, 180)),
    "Person": (24, (220, 20, 60)),
    "Rider": (25, (255, 0, 0)),
    "Car": (26, (0, 0, 142)),
    "Truck": (27, (0, 0, 70)),
    "Bus": (28, (0, 60, 100)),
    "Train": (31, (0, 80, 100)),
    "Motorcycle": (32, (0, 0, 230)),
    "Bicycle": (33, (119, 11, 32)),
}


def is_cityscapes(root: Path) -> bool:
    """Whether the folder has Cityscapes' layout."""
    return (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir()


def read(root: Path) -> MaskSet:
    """Read ``leftImg8bit/SPLIT/CITY/*_leftImg8bit.png`` with ``gtFine/SPLIT/CITY/*_gtFine_labelIds.png``.

    Raises:
        DataError: a part or a partner is missing, or the classes are others.
    """
    if (root / "classes.json").is_file():
        raise DataError(
            f"{root / 'classes.json'}: label images in Cityscapes' layout have Cityscapes' ids; for your own "
            "classes put the pictures into {train,val}/images and the label images into {train,val}/masks"
        )
    ids = np.full(256, UNLABELLED, np.uint8)
    for class_id, (label_id, _) in enumerate(CLASSES.values()):
        ids[label_id] = class_id
    palette = tuple(color for _, color in CLASSES.values())
    return MaskSet("Cityscapes", tuple(CLASSES), palette, _part(root, "train"), _part(root, "val"), ids)


def _part(root: Path, split: str) -> tuple[MaskImage, ...]:
    return with_partners(root / "leftImg8bit" / split, pairs_of(root, split))


def pairs_of(root: Path, split: str) -> list[MaskImage]:
    """The pictures of a part and their label images, whether those are there or not."""
    pairs = []
    for path in sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png")):
        if not is_hidden(path):
            name = path.name.removesuffix("_leftImg8bit.png") + "_gtFine_labelIds.png"
            pairs.append(MaskImage(path, root / "gtFine" / split / path.parent.name / name))
    return pairs
