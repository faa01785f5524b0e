"""Label images in colours with a table: Pascal VOC, CVAT's CamVid, Roboflow's masks, and plain folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from perception.errors import FrameError
from perception.pictures import read_ids
from training.datasets import parts
from training.datasets.images import DataError, files
from training.datasets.labels import tables
from training.datasets.labels.shapes import Bitmap, Labels, Part, Picture, Reason, Shape
from training.datasets.labels.source import Source, part_of
from training.datasets.pictures import read_bgr
from training.datasets.text import plain, read_text

NAME = "label images"
BACKGROUND = "background"  # what exports call pixels that are in no shape
MASKS = ("SegmentationClass", "masks", "mask")
PARTNER = ("_mask", "_label", "_seg")  # after the picture's name, where both are in one folder


def claims(source: Source) -> bool:
    """Whether there are label images; those that hold the project's own class ids need no import."""
    return source.path.is_dir() and next(_folders(source.root), None) is not None


def _folders(root: Path) -> Iterator[tuple[Path, str, Part]]:
    """Folders of label images, what their names have after the picture's, and the part that they are of."""
    bases: list[tuple[Path, Part]] = [(root, "")]
    bases += [(one, part_of(one.name)) for one in parts.subfolders(root) if part_of(one.name)]
    for base, part in bases:
        for folder in parts.subfolders(base):
            if folder.name in MASKS and files(folder):
                yield folder, "", part
            elif folder.name.lower().endswith("annot") and files(folder):
                yield folder, "", part or part_of(folder.name.lower().removesuffix("annot"))
        names = {path.stem for path in files(base)}
        for end in PARTNER:
            if any(name.endswith(end) and name.removesuffix(end) in names for name in names):
                yield base, end, part
                break


def read(source: Source, table: Path | None = None) -> Labels:
    """Read the table; pictures and label images are read while they are iterated.

    Args:
        source: the folder.
        table: of colours; None looks for one in the folder.

    Raises:
        DataError: there is no table, it cannot be used, or the folder needs no import.
    """
    places = [source.root, *(folder for folder, _, _ in _folders(source.root))]
    found = table or next(filter(None, map(tables.find, places)), None)
    if found is None:
        raise DataError(
            f"{source.root} has label images, but none of {', '.join(tables.NAMES)} says which colour is "
            "which class; name a table with --colors"
        )
    if table is None and found.name == "classes.json" and _hold_ids(source.root):
        raise DataError(
            f"{source.root} has the project's own layout already, with class ids in its label images; check "
            "it as it is"
        )
    colors = tables.read(found)
    named = {name: color for name, color in colors.items() if name.lower() != BACKGROUND}
    ignored = next((color for name, color in colors.items() if name not in named), None)
    classes = {int(_packed(np.array(color))): name for name, color in named.items()}
    unlabelled = None if ignored is None else int(_packed(np.array(ignored)))
    pictures = _pictures(source, classes, unlabelled)
    is_grey = all(len(set(color)) == 1 for color in named.values())
    return Labels(NAME, tuple(named), pictures, {} if is_grey else named)


def _hold_ids(root: Path) -> bool:
    """Whether the first label image has one byte a pixel, as the project's own have."""
    try:
        read_ids(files(next(_folders(root))[0])[0])
    except FrameError:
        return False
    return True


def _pictures(source: Source, classes: dict[int, str], unlabelled: int | None) -> Iterator[Picture]:
    lists = _lists(source.root)
    for folder, end, part in _folders(source.root):
        if part == "test":
            source.say(Reason.TEST, folder)
            continue
        for mask_path in files(folder):
            if not mask_path.stem.endswith(end):
                continue
            name = mask_path.stem[: len(mask_path.stem) - len(end)]
            path = _partner(source, mask_path, name)
            if path is None:
                continue
            own_part = lists.get(plain(name), part)
            try:
                shapes, size_wh = _shapes(mask_path, classes, unlabelled, source)
            except DataError as error:
                source.say(Reason.UNREADABLE, mask_path, "", str(error))
                continue
            yield Picture(path, path.name, mask_path, "", shapes, size_wh, own_part)


def _partner(source: Source, mask_path: Path, name: str) -> Path | None:
    """The picture of a label image; None is noted."""
    found = source.named(name)
    own = [path for path in found if path != mask_path]
    near = [path for path in own if path.is_relative_to(mask_path.parent.parent)] or own
    if len(near) != 1:
        several = f"may be of {near[0]} or {near[1]}" if near else f"no picture {name}"
        source.say(Reason.NO_PICTURE, mask_path, "", several)
        return None
    return near[0]


def _shapes(
    path: Path, classes: dict[int, str], unlabelled: int | None, source: Source
) -> tuple[tuple[Shape, ...], tuple[int, int]]:
    """The pixels of each class, and the size (width, height)."""
    packed = _packed(read_bgr(path)[..., ::-1])
    shapes = [
        Shape(classes[value], f"colour {_unpacked(value)}", bitmap=Bitmap.of(packed == value))
        for value in np.unique(packed).tolist()
        if value in classes
    ]
    known = [*classes, *([] if unlabelled is None else [unlabelled])]
    strange = packed[~np.isin(packed, known)]
    if strange.size:
        values = np.unique(strange).tolist()
        place = f"colour {_unpacked(values[0])}" + (f" and {len(values) - 1} more" if len(values) > 1 else "")
        source.say(Reason.NO_CLASS, path, place, f"{strange.size} px whose colour is not in the table")
    return tuple(shapes), (packed.shape[1], packed.shape[0])


def _packed(
    rgb: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """A number for each colour (…, 3)."""
    return np.asarray(rgb.astype(np.int64) @ np.array([65536, 256, 1]))


def _unpacked(value: int) -> str:
    return f"{value >> 16},{value >> 8 & 255},{value & 255}"


def _lists(root: Path) -> dict[str, Part]:
    """The part of each picture, by its name without suffix, as Pascal VOC lists it."""
    listed: dict[str, Part] = {}
    for path in sorted((root / "ImageSets" / "Segmentation").glob("*.txt")):
        part = part_of(path.stem)
        for line in read_text(path).splitlines():
            if part and line.strip():
                listed[plain(line.split()[0])] = part
    return listed
