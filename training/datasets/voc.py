"""Pascal VOC: an XML file of boxes in pixels for each picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from training.datasets import parts
from training.datasets.images import BoxImage, BoxSet, DataError, files
from training.datasets.text import plain, read_text

FOLDERS = (("Annotations", "JPEGImages"), ("annotations", "images"), ("Annotations", "images"))
Part = Literal["", "train", "val"]
Box = tuple[float, float, float, float]


def is_voc(root: Path) -> bool:
    """Whether the folder, or one of its parts, has pictures with XML files of boxes."""
    return any(_has_boxes(folder) for folder, _, _ in _folders(root))


def _has_boxes(folder: Path) -> bool:
    first = next(iter(sorted(folder.glob("*.xml"))), None)
    return first is not None and re.search(rb"<annotation[\s>]", first.read_bytes()[:2000]) is not None


def _folders(root: Path) -> Iterator[tuple[Path, Path, Part]]:
    """Folders of XML files, those of their pictures, and the part."""
    own: list[tuple[Path, Part]] = [(root, "")]
    for folder in parts.subfolders(root):
        part = parts.part_of(folder.name)
        if part in ("train", "val"):
            own.append((folder, "train" if part == "train" else "val"))
    for base, part in own:
        for boxes, pictures in FOLDERS:
            if (base / boxes).is_dir() and (base / pictures).is_dir():
                yield base / boxes, base / pictures, part
                break
        else:
            yield base, base, part


def read(root: Path) -> BoxSet:
    """Read all pictures; one without an XML file has no boxes.

    The parts are folders, or lists in ``ImageSets/Main``.

    Raises:
        DataError: an XML file has another form.
    """
    labels: dict[str, int] = {}
    images = []
    lists = _lists(root)
    for folder, pictures, part in _folders(root):
        for path in files(pictures):
            own_part = lists.get(plain(path.stem), "test") if lists else part
            if own_part == "test":
                continue
            boxes, size_wh = _boxes(folder / f"{path.stem}.xml", labels)
            images.append(
                BoxImage(
                    path,
                    tuple(box for box, _ in boxes),
                    tuple(number for _, number in boxes),
                    "val" if own_part == "val" else "train" if own_part == "train" else "",
                    size_wh=size_wh,
                )
            )
    return BoxSet(root.resolve().name, tuple(labels), tuple(images))


def _lists(root: Path) -> dict[str, str]:
    """The part of each picture, by its name, if both lists are there."""
    names = {part: root / "ImageSets" / "Main" / f"{part}.txt" for part in ("train", "val")}
    if not all(path.is_file() for path in names.values()):
        return {}
    lines = {part: read_text(path).splitlines() for part, path in names.items()}
    return {plain(line.split()[0]): part for part, own in lines.items() for line in own if line.strip()}


def _boxes(path: Path, labels: dict[str, int]) -> tuple[list[tuple[Box, int]], tuple[int, int]]:
    """Boxes with their classes, and the size of the picture."""
    if not path.is_file():
        return [], (0, 0)
    try:
        tree = ElementTree.fromstring(read_text(path).encode())
        boxes = []
        for one in tree.iter("object"):
            x1, y1, x2, y2 = (
                float(_text(one, f"bndbox/{name}")) for name in ("xmin", "ymin", "xmax", "ymax")
            )
            boxes.append(((x1, y1, x2, y2), labels.setdefault(plain(_text(one, "name")), len(labels))))
        size = tree.find("size")
        size_wh = (0, 0) if size is None else (int(_text(size, "width")), int(_text(size, "height")))
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(
            f"{path}: {error}; expected Pascal VOC's annotation with object, name and bndbox; export it again"
        ) from error
    return boxes, size_wh


def _text(element: ElementTree.Element, name: str) -> str:
    text = (element.findtext(name) or "").strip()
    if not text:
        raise ValueError(f"no {name} in {element.tag}")
    return text
