"""YOLO with areas: text files of polygons in shares of the picture, as Roboflow and Ultralytics have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.datasets import parts, yolo
from training.datasets.images import DataError
from training.datasets.labels.shapes import Labels, Picture, Reason, Shape, are_boxes, rectangle, ring
from training.datasets.labels.source import Source
from training.datasets.text import read_text

NAME = "YOLO"


def claims(source: Source) -> bool:
    """Whether there are such files with polygons; files of boxes alone are read as boxes."""
    return source.path.is_dir() and yolo.is_yolo(source.root) and any(map(_has_areas, _files(source.root)))


def _files(root: Path) -> Iterator[Path]:
    """The files of labels that exist."""
    listed = (yolo.label_file(path) for path, _ in yolo.pictures(root))
    return (path for path in listed if path.is_file())


def _has_areas(path: Path) -> bool:
    return any(len(line.split()) > 6 for line in read_text(path).splitlines())


def read(source: Source) -> Labels:
    """Read pictures and shapes of all parts but those to test with.

    Raises:
        DataError: the file of names cannot be used.
    """
    names = yolo.read_names(source.root)
    for folder in parts.kept_out(source.root):
        source.say(Reason.TEST, folder)
    pictures = []
    seen = set()
    for path, part in yolo.pictures(source.root):
        listed = yolo.label_file(path)
        seen.add(listed)
        shapes = _shapes(listed, names, source) if listed.is_file() else ()
        name = path.relative_to(source.root).as_posix()
        pictures.append(Picture(path, name, listed, "", shapes, part=part, in_shares=True))
    for folder in sorted({path.parent for path in seen if path.parent.name == "labels"}):
        for path in sorted(set(folder.glob("*.txt")) - seen):
            source.say(Reason.NO_PICTURE, path)
    labels = tuple(names[number] for number in sorted(names))
    if not labels:
        raise DataError(
            f"{source.root} has no names of its classes; add data.yaml with names, as YOLO's exports have it"
        )
    return Labels(NAME, labels, tuple(pictures), are_boxes=are_boxes(pictures))


def _shapes(listed: Path, names: dict[int, str], source: Source) -> tuple[Shape, ...]:
    def parse(words: list[str], place: str) -> Shape:
        class_id, values = int(words[0]), [float(word) for word in words[1:]]
        label = names.get(class_id, f"class {class_id}")
        if len(values) == 4:
            x, y, width, height = values
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            return Shape(label, place, (rectangle(box),), box=box)
        if len(values) < 6 or len(values) % 2:
            raise ValueError(f"{len(words)} numbers; a line is CLASS X1 Y1 X2 Y2 X3 Y3 …")
        return Shape(label, place, (ring(values),))

    lines = (
        (f"line {number}", line.split()) for number, line in enumerate(read_text(listed).splitlines(), 1)
    )
    return source.shapes(((place, words) for place, words in lines if words), parse, listed)
