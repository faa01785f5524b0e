"""Anyone's own pictures: one folder per sign class, or pictures beside label images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from perception.spec import UNLABELLED
from training.data.images import DataError, MaskImage, MaskSet, SignImage, SignSet, files


def read_classes(root: Path) -> SignSet:
    """Read ``root/CLASS NAME/*.jpg``: folders are classes, in their names' order; a picture is a track.

    ``root/flips.json``, if there, names the class of each class's mirror image, ``{"Keep left":
    "Keep right", "Keep right": "Keep left", "Stop": "Stop"}``; a class that it leaves out is never flipped.

    Raises:
        DataError: fewer than two class folders, an empty one, or a flip to a class that there is not.
    """
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    if len(folders) < 2:
        raise DataError(
            f"{root} is not GTSRB, and has {len(folders)} class folders; a classifier needs at least two"
        )
    images = []
    for class_id, folder in enumerate(folders):
        found = files(folder)
        if not found:
            raise DataError(f"{folder} holds no pictures; fill it or remove it")
        images += [SignImage(path, class_id, str(path)) for path in found]
    labels = tuple(folder.name for folder in folders)
    return SignSet(root.name, labels, tuple(images), _flips(root / "flips.json", labels))


def _flips(path: Path, labels: tuple[str, ...]) -> dict[int, int]:
    if not path.is_file():
        return {}
    try:
        return {
            labels.index(name): labels.index(other) for name, other in json.loads(path.read_text()).items()
        }
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: {error}; expected class names, {{name: name of its mirror image}}"
        ) from error


def read_masks(root: Path) -> MaskSet:
    """Read ``root/{train,val}/images/*`` and ``root/{train,val}/masks/*.png``, same stem.

    ``root/classes.json`` lists the classes, ``[{"name": "Road", "color": [128, 64, 128]}, …]``, in the order
    of their ids in the label images, where 255 does not count.

    Raises:
        DataError: the description, a part or a partner is missing.
    """
    description = root / "classes.json"
    if not description.is_file():
        raise DataError(
            f"{root} has no trainannot/ (CamVid), no leftImg8bit/ and gtFine/ (Cityscapes), and no "
            'classes.json, which lists your own classes: [{"name": "Road", "color": [128, 64, 128]}, …]'
        )
    try:
        classes = json.loads(description.read_text())
        labels = tuple(str(entry["name"]) for entry in classes)
        palette = tuple((int(r), int(g), int(b)) for r, g, b in (entry["color"] for entry in classes))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{description}: {error!r}; expected a list of objects with name and color"
        ) from error
    ids = np.full(256, UNLABELLED, np.uint8)
    ids[: len(labels)] = np.arange(len(labels))
    return MaskSet(root.name, labels, palette, _pairs(root / "train"), _pairs(root / "val"), ids)


def _pairs(folder: Path) -> tuple[MaskImage, ...]:
    if not (folder / "images").is_dir():
        raise DataError(
            f"{folder / 'images'} is missing; pictures stand there and label images in {folder / 'masks'}"
        )
    pairs = [MaskImage(path, folder / "masks" / f"{path.stem}.png") for path in files(folder / "images")]
    return with_partners(folder, pairs)


def with_partners(where: Path, pairs: list[MaskImage]) -> tuple[MaskImage, ...]:
    """The pairs, provided that there are any and that each picture has its label image."""
    if not pairs:
        raise DataError(f"{where} holds no pictures")
    alone = [pair for pair in pairs if not pair.mask_path.is_file()]
    if alone:
        raise DataError(
            f"{alone[0].path} has no label image {alone[0].mask_path}, "
            f"and so have {len(alone) - 1} more pictures not; add them or take the pictures out"
        )
    return tuple(pairs)
