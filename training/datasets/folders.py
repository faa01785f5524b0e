"""Anyone's own pictures: one folder per sign class, or pictures beside label images."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from perception.paths import natural_order
from perception.pictures import SUFFIXES
from perception.spec import Color
from perception.tasks import UNLABELLED
from training.datasets import layouts, parts
from training.datasets.images import DataError, MaskImage, MaskSet, SignImage, SignSet, files
from training.datasets.text import plain, read_json

# GTSRB's pictures by track and frame, with the class before them on Kaggle: 00003_00012.ppm,
# 00014_00003_00012.png.
FRAME = re.compile(r"(\d{5}_)?(?P<track>\d{5})_\d{5}\.\w+")


def read_classes(root: Path) -> SignSet:
    """Read ``root/CLASS NAME/*.jpg``: folders are classes, in their names' order; a picture is a track.

    Or ``root/train/CLASS NAME/*.jpg``, with ``val/`` beside it where the data set is split already; ``test/``
    is never read.

    ``root/flips.json``, if there, names the class of each class's mirror image, ``{"Keep left": "Keep right",
    "Keep right": "Keep left", "No entry": "No entry"}``; a class that it leaves out is never flipped.
    ``root/box_margin.json``, if there, says how far around the sign the pictures reach, ``0.1`` of its size.

    Raises:
        DataError: as :func:`list_classes`; or fewer than two class folders, or an empty one.
    """
    dataset = list_classes(root)
    if len(dataset.labels) < 2:
        raise DataError(
            f"{root} is not GTSRB, and has {len(dataset.labels)} class folders; a classifier needs at least "
            "two"
        )
    filled = {image.class_id for image in dataset.images}
    for class_id, label in enumerate(dataset.labels):
        if class_id not in filled:
            folder = next(f for f in class_folders(learnt_folder(root)) if plain(f.name) == label)
            raise DataError(f"{folder} holds {no_pictures(folder)}; fill it or remove it")
    return dataset


def list_classes(root: Path, *, in_part: bool = False) -> SignSet:
    """As :func:`read_classes`, however many classes and pictures there are.

    Args:
        root: the data set.
        in_part: some of its folders were left out, and nothing is flipped.

    Raises:
        DataError: the layout is one of another kind, a name or the number of classes is one that a model file
            cannot hold, a flip is to a class that does not exist, the margin is none, or only validation has
            a class.
    """
    if strange := layouts.foreign(root):
        raise DataError(strange)
    base, val = learnt_folder(root), parts.part(root, "val")
    folders = class_folders(base)
    for folder in folders:
        try:
            folder.name.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"the name of {str(folder)!r} is not UTF-8; rename the folder") from error
    if len(folders) > UNLABELLED:
        raise DataError(f"{root} has {len(folders)} class folders; a model can know {UNLABELLED} classes")
    labels = tuple(dict.fromkeys(plain(folder.name) for folder in folders))
    images = [
        SignImage(path, labels.index(plain(folder.name)), f"{plain(folder.name)}/{_track(path)}")
        for folder in folders
        for path in files(folder)
    ]
    if base != root and val.is_dir():
        images = [replace(image, part="train") for image in images] + _validation(val, labels, base)
    flips = {} if in_part else read_flips(root / "flips.json", labels)
    margin = read_margin(root / "box_margin.json")
    return SignSet(root.resolve().name, labels, tuple(images), flips, margin)


def _validation(val: Path, labels: tuple[str, ...], base: Path) -> list[SignImage]:
    """The pictures to validate on; their tracks are others than those of training, whatever the names."""
    images = []
    for folder in class_folders(val):
        label = plain(folder.name)
        if label not in labels:
            raise DataError(
                f"{folder} is a class that {base} does not have, so nothing learns it; add {base / label}, "
                "or take it out"
            )
        images += [
            SignImage(path, labels.index(label), f"val/{label}/{_track(path)}", "val")
            for path in files(folder)
        ]
    return images


def learnt_folder(root: Path) -> Path:
    """Where the folders of classes are that training learns from: ``root``, or its ``train`` if it has parts.

    A class may be called ``train``: a part has folders of pictures in it, and no pictures of its own.
    """
    train = parts.part(root, "train")
    if not any(files(folder) for folder in parts.subfolders(train)) or files(train):
        return root
    others = [folder for folder in parts.subfolders(root) if folder != train]
    is_split = any(parts.part_of(folder.name) for folder in others)
    return train if is_split or not any(files(folder) for folder in others) else root


def _track(path: Path) -> str:
    """Of a picture that is not GTSRB's, its name; thirty of those show one sign, wherever they are copied."""
    return path.stem.rpartition("_")[0] if FRAME.fullmatch(path.name) else path.name


def class_folders(root: Path) -> list[Path]:
    """The folders of classes, sorted by name as people count: 2 before 10."""
    return sorted(parts.subfolders(root), key=lambda folder: natural_order(plain(folder.name)))


def no_pictures(folder: Path) -> str:
    """What to say of a folder without pictures."""
    nested = class_folders(folder)
    if not nested:
        return f"no pictures ({', '.join(SUFFIXES)})"
    return f"no pictures but folders ({nested[0].name}, …); folders of classes are side by side, in no other"


def read_flips(path: Path, labels: tuple[str, ...]) -> dict[int, int]:
    """Class ids and those of their mirror images; none without the file.

    Raises:
        DataError: it cannot be read, or names a class that does not exist.
    """
    if not path.is_file():
        return {}
    try:
        flips = {plain(name): plain(other) for name, other in read_json(path).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{path}: {error}; expected class names, {{name: name of its mirror image}}"
        ) from error
    strange = [name for pair in flips.items() for name in pair if name not in labels]
    if strange:
        raise DataError(f"{path}: there is no class {strange[0]!r}; the classes are {', '.join(labels)}")
    return {labels.index(name): labels.index(other) for name, other in flips.items()}


def read_margin(path: Path) -> float:
    """How far around the sign pictures reach on each side, as a share of its size; 0 without the file.

    Raises:
        DataError: it cannot be read, or holds no share.
    """
    if not path.is_file():
        return 0.0
    try:
        margin = read_json(path)
    except ValueError as error:
        raise DataError(f"{path}: {error}; expected a share of the sign's size, as 0.1") from error
    if not isinstance(margin, (int, float)) or isinstance(margin, bool) or not 0 <= margin <= 1:
        raise DataError(f"{path} holds {margin!r}; expected a share of the sign's size, as 0.1")
    return float(margin)


def read_masks(root: Path) -> MaskSet:
    """Read ``root/{train,val}/images/*`` and ``root/{train,val}/masks/*.png``, same stem.

    ``val`` may be ``valid`` or ``validation``. ``root/images`` and ``root/masks`` without parts are one
    drive, of which the end validates; see :func:`own_pictures`.

    ``root/classes.json`` lists the classes, ``[{"name": "Road", "color": [128, 64, 128]}, …]``, in the order
    of their ids in the label images, where 255 does not count.

    Raises:
        DataError: the description, a part or a partner is missing, or the description cannot be used.
    """
    is_split = (parts.part(root, "train") / "masks").is_dir()
    if not is_split and not is_one_drive(root) and (strange := layouts.foreign(root)):
        raise DataError(strange)
    labels, palette = describe(root)
    ids = np.full(256, UNLABELLED, np.uint8)
    ids[: len(labels)] = np.arange(len(labels))
    train, val = (_pairs(*own_pictures(root, part)) for part in ("train", "val"))
    return MaskSet(root.resolve().name, labels, palette, train, val, ids)


def is_one_drive(root: Path) -> bool:
    """Whether a folder has pictures, label images and ``classes.json``, but no parts."""
    has_all = all((root / name).exists() for name in ("images", "masks", "classes.json"))
    return has_all and not any((parts.part(root, part) / "masks").is_dir() for part in ("train", "val"))


def own_pictures(root: Path, part: str) -> tuple[Path, list[Path]]:
    """Folder that has ``images`` and ``masks`` of a part, and the pictures of that part.

    Of a drive without parts, the last fifth validates, by the names as people count: frames next to each
    other look alike, so a choice by chance would validate on what was learnt.
    """
    folder = root if is_one_drive(root) else parts.part(root, part)
    pictures = files(folder / "images") if (folder / "images").is_dir() else []
    if folder != root:
        return folder, pictures
    pictures = sorted(pictures, key=lambda path: natural_order(plain(path.name)))
    last = len(pictures) - max(1, round(len(pictures) / 5))
    return folder, pictures[last:] if part == "val" else pictures[:last]


def describe(root: Path) -> tuple[tuple[str, ...], tuple[Color, ...]]:
    """Names and colours of the classes, from ``root/classes.json``.

    Raises:
        DataError: it is missing, or no model file could hold what it says.
    """
    description = root / "classes.json"
    if not description.is_file():
        raise DataError(
            f"{root} has no trainannot/ (CamVid), no leftImg8bit/ and gtFine/ (Cityscapes), and no "
            'classes.json, which lists your own classes: [{"name": "Road", "color": [128, 64, 128]}, …]'
        )
    try:
        classes = read_json(description)
        labels = tuple(plain(str(entry["name"])) for entry in classes)
        palette = tuple((r, g, b) for r, g, b in (entry["color"] for entry in classes))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{description}: {error!r}; expected a list of objects with name and color"
        ) from error
    if len(labels) > UNLABELLED:
        raise DataError(f"{description} lists {len(labels)} classes; a model can know {UNLABELLED}")
    for label, color in zip(labels, palette):
        if labels.count(label) > 1:
            raise DataError(f"{description}: the class {label!r} is listed twice")
        if not all(isinstance(value, int) and 0 <= value <= 255 for value in color):
            raise DataError(f"{description}: the color of {label!r} is {list(color)}; expected 0 to 255")
    return labels, palette


def _pairs(folder: Path, pictures: list[Path]) -> tuple[MaskImage, ...]:
    if not (folder / "images").is_dir():
        raise DataError(
            f"{folder / 'images'} is missing; put pictures there and label images into {folder / 'masks'}"
        )
    pairs = [MaskImage(path, mask_of(path, folder / "masks")) for path in pictures]
    return with_partners(folder, pairs)


def mask_of(path: Path, masks: Path) -> Path:
    """Where the label image of a picture is, or should be: of its name, ``.png`` or ``.PNG``."""
    expected = masks / f"{path.stem}.png"
    if expected.is_file() or not masks.is_dir():
        return expected
    wanted = plain(path.stem)
    named = (one for one in masks.iterdir() if one.suffix.lower() == ".png" and plain(one.stem) == wanted)
    return next(named, expected)


def with_partners(where: Path, pairs: list[MaskImage]) -> tuple[MaskImage, ...]:
    """The pairs, provided that there are any and that each picture has its label image."""
    if not pairs:
        raise DataError(f"{where} holds no pictures")
    alone = [pair for pair in pairs if not pair.mask_path.is_file()]
    if alone:
        raise DataError(
            f"{alone[0].path} has no label image {alone[0].mask_path}, and {len(alone) - 1} more pictures "
            "have none; add them or take the pictures out"
        )
    return tuple(pairs)
