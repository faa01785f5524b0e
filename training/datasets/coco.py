"""COCO: one JSON file of pictures, categories and boxes for each part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from training.datasets import parts
from training.datasets.images import BoxImage, BoxSet, DataError
from training.datasets.text import plain, read_json

KEYS = re.compile(rb'\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')
Part = Literal["", "train", "val"]


def is_coco(root: Path) -> bool:
    """Whether the folder, or one of its parts, has such a file."""
    return next(listed(root), None) is not None


def listed(root: Path) -> Iterator[Path]:
    """COCO's files of a folder and its parts, sorted, by how they begin."""
    annotations = [root / name for name in ("annotations", "Annotations")]
    own = [folder for folder in parts.subfolders(root) if parts.part_of(folder.name)]
    for folder in (root, *annotations[: 1 if annotations[0].is_dir() else 2], *own):
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            if path.is_file() and not path.name.startswith(".") and begins_as_coco(path):
                yield path


def begins_as_coco(path: Path) -> bool:
    """Whether a file begins with one of COCO's keys."""
    with path.open("rb") as file:
        return KEYS.match(file.read(200)) is not None


def read(root: Path) -> BoxSet:
    """Read all files but those of a part to test with; their categories are the same by name.

    A file's part is in its name, or in that of its folder.

    Raises:
        DataError: a file has another form.
    """
    labels: dict[str, int] = {}
    images: list[BoxImage] = []
    for path in listed(root):
        own_part = part(path, root)
        if own_part == "test":
            continue
        try:
            images += _images(read_json(path), path, root, "val" if own_part == "val" else "train", labels)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be used: {error}"
            raise DataError(
                f"{path} {problem}; expected COCO's images, annotations and categories; export it again"
            ) from error
    if not any(image.part == "val" for image in images):  # one file is no split
        images = [replace(image, part="") for image in images]
    return BoxSet(root.resolve().name, tuple(labels), tuple(images))


def part(path: Path, root: Path) -> str:
    """The part that a file is of, by its name or its folder's; empty if they do not say."""
    words = [word for word in re.split(r"[^a-z]+", path.stem.lower()) if word]
    named = next((part for part in map(parts.part_of, words) if part), "")
    return named or (parts.part_of(path.parent.name) if path.parent != root else "")


def _images(
    content: dict[str, Any], listed: Path, root: Path, part: Part, labels: dict[str, int]
) -> list[BoxImage]:
    class_ids = {}
    for category in content["categories"]:
        class_ids[category["id"]] = labels.setdefault(plain(str(category["name"])), len(labels))
    boxes: dict[Any, list[tuple[tuple[float, float, float, float], int]]] = {}
    for one in content.get("annotations") or ():
        if one.get("iscrowd"):
            continue
        if one["category_id"] not in class_ids:
            raise ValueError(
                f"category_id {one['category_id']} of annotation {one.get('id')} is none of the categories"
            )
        x, y, width, height = map(float, one["bbox"])
        own = boxes.setdefault(one["image_id"], [])
        own.append(((x, y, x + width, y + height), class_ids[one["category_id"]]))
    images = []
    for one in content["images"]:
        path = _found(root, listed, str(one["file_name"]).replace("\\", "/"))
        own = boxes.pop(one["id"], [])
        size_wh = (int(one.get("width") or 0), int(one.get("height") or 0))
        images.append(
            BoxImage(
                path, tuple(box for box, _ in own), tuple(number for _, number in own), part, size_wh=size_wh
            )
        )
    if boxes:
        raise ValueError(f"image_id {next(iter(boxes))!r} of an annotation is none of the images")
    return images


def _found(root: Path, listed: Path, name: str) -> Path:
    """The picture of this name: beside the file, or in a folder of pictures, perhaps of the part's name."""
    stem = listed.stem.removeprefix("instances_")
    folders = (listed.parent, root, root / "images", root / "images" / stem, root / stem, root / "data")
    places = [folder / name for folder in folders]
    return next((place for place in places if place.is_file()), places[0])
