"""YOLO: a text file of boxes in shares for each picture, and the names of the classes in data.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from training.datasets import parts
from training.datasets.images import BoxImage, BoxSet, DataError, files
from training.datasets.text import plain, read_text

DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
NAMES = ("obj.names", "classes.txt", "_darknet.labels")
LINE = "a line is CLASS X Y WIDTH HEIGHT of the box's centre and size in shares of the picture, 0 to 1"
Box = tuple[float, float, float, float]


def is_yolo(root: Path) -> bool:
    """Whether the folder has the names of YOLO's classes, or folders of pictures and labels."""
    if any((root / name).is_file() for name in (*DESCRIPTIONS, *NAMES)):
        return True
    bases = [root, *(folder for folder in parts.subfolders(root) if parts.part_of(folder.name))]
    return any((base / "images").is_dir() and _holds_text(base / "labels") for base in bases)


def _holds_text(labels: Path) -> bool:
    return labels.is_dir() and next(labels.rglob("*.txt"), None) is not None


def read(root: Path) -> BoxSet:
    """Read the pictures of each part and the text files that belong to them.

    The parts are folders named train and val (valid, validation), with ``images/`` in or above them; pictures
    in other folders are not split. The boxes of ``images/…/A.jpg`` are in ``labels/…/A.txt``, or beside it; a
    picture without such a file has none.

    Raises:
        DataError: there are no pictures, or a file of boxes or names cannot be used.
    """
    names = read_names(root)
    listed = list(pictures(root))
    if not listed:
        raise DataError(f"{root} has no pictures in images/, train/ or val/, as YOLO's data sets have them")
    rows = [(path, part, _boxes(path)) for path, part in listed]
    classes = {class_id for _, _, boxes in rows for class_id, _ in boxes}
    labels = tuple(names.get(class_id, str(class_id)) for class_id in range(max({*names, *classes, 0}) + 1))
    images = [
        BoxImage(path, tuple(box for _, box in boxes), tuple(number for number, _ in boxes), part, True)
        for path, part, boxes in rows
    ]
    return BoxSet(root.resolve().name, labels, tuple(images))


def read_names(root: Path) -> dict[int, str]:
    """Names of the classes by their numbers; none if no file has them."""
    for path in (root / name for name in DESCRIPTIONS):
        if path.is_file():
            names = _described(path).get("names") or {}
            entries = names.items() if isinstance(names, dict) else enumerate(names)
            try:
                return {int(number): plain(str(name)) for number, name in entries}
            except ValueError as error:
                raise DataError(f"{path}: names has the key {error}; expected numbers of classes") from error
    for path in (root / name for name in NAMES):
        if path.is_file():
            lines = [line.strip() for line in read_text(path).splitlines()]
            return {number: plain(name) for number, name in enumerate(filter(None, lines))}
    return {}


def _described(path: Path) -> dict[str, Any]:
    try:
        content = YAML(typ="safe", pure=True).load(read_text(path))
    except YAMLError as error:
        raise DataError(f"{path} is not YAML ({error}); export the data set again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a table of names, train and val; export the data set again")
    return content


def pictures(root: Path) -> Iterator[tuple[Path, Literal["", "train", "val"]]]:
    """All pictures and their parts; those of a part to test with are left out."""
    folders: dict[Path, Literal["", "train", "val"]] = {}
    for base in (root, root / "images"):
        for folder in parts.subfolders(base):
            part = parts.part_of(folder.name)
            if part in ("train", "val"):
                inner = folder / "images"
                folders[inner if inner.is_dir() else folder] = "train" if part == "train" else "val"
    if not folders:
        inner = next(
            (root / name for name in ("images", "obj_train_data", "data") if (root / name).is_dir()), root
        )
        folders[inner] = ""
    for folder, part in folders.items():
        for path in files(folder):
            yield path, part


def label_file(path: Path) -> Path:
    """Where the boxes of a picture are, or should be."""
    steps = PurePosixPath(path).parts
    if "images" in steps:
        last = len(steps) - 1 - steps[::-1].index("images")
        return Path(*steps[:last], "labels", *steps[last + 1 :]).with_suffix(".txt")
    return path.with_suffix(".txt")


def _boxes(path: Path) -> list[tuple[int, Box]]:
    """Class and box, in shares, of each line; of an outline, the box around it."""
    listed = label_file(path)
    if not listed.is_file():
        return []
    boxes = []
    for number, line in enumerate(read_text(listed).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            class_id, values = int(words[0]), [float(word) for word in words[1:]]
            if len(values) != 4 and (len(values) < 6 or len(values) % 2):
                raise ValueError(f"{len(words)} numbers")
            if class_id < 0:
                raise ValueError(f"the class {class_id}")
        except ValueError as error:
            raise DataError(f"{listed}, line {number}: {error}; {LINE}") from error
        if len(values) == 4:
            x, y, width, height = values
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        else:
            box = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
        boxes.append((class_id, box))
    return boxes
