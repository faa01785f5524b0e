"""COCO with areas: JSON files of pictures, categories, and annotations as polygons or run lengths."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from perception.spec import Color
from training.datasets import coco as boxes
from training.datasets.images import DataError
from training.datasets.labels import rle
from training.datasets.labels.shapes import (
    Bitmap,
    Labels,
    Picture,
    Reason,
    Shape,
    are_boxes,
    rectangle,
    ring,
)
from training.datasets.labels.source import Source, part_of
from training.datasets.text import plain, read_json

NAME = "COCO"
AREAS = re.compile(rb'"segmentation"\s*:\s*(\[\s*\[|\{)')


def claims(source: Source) -> bool:
    """Whether there is such a file with areas; files of boxes alone are read as boxes."""
    return any(AREAS.search(path.read_bytes()) for path in _files(source))


def _files(source: Source) -> list[Path]:
    if source.path.is_file():
        return source.files(".json") if boxes.begins_as_coco(source.path) else []
    return list(boxes.listed(source.root))


def read(source: Source) -> Labels:
    """Read pictures and shapes of all parts but those to test with.

    Raises:
        DataError: a file is no JSON, or has no pictures or categories.
    """
    labels: dict[str, None] = {}
    pictures: list[Picture] = []
    for path in _files(source):
        part = boxes.part(path, source.root)
        if part == "test":
            source.say(Reason.TEST, path)
            continue
        try:
            content = read_json(path)
            names = _categories(content)
            labels.update(dict.fromkeys(names.values()))
            own = _pictures(content, names, path, source)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be used: {error}"
            raise DataError(
                f"{path} {problem}; expected COCO's images, annotations and categories; export it again"
            ) from error
        pictures += [replace(picture, part=part_of(part) or "train") for picture in own]
    if not any(picture.part == "val" for picture in pictures):  # one file is no split
        pictures = [replace(picture, part="") for picture in pictures]
    return Labels(NAME, tuple(labels), tuple(pictures), are_boxes=are_boxes(pictures))


def _categories(content: dict[str, Any]) -> dict[Any, str]:
    """Names by id, in the order of the ids; without those that only stand for others, as Roboflow's first."""
    listed = sorted(content["categories"], key=lambda one: one["id"])
    used = {one.get("category_id") for one in content.get("annotations") or ()}
    above = {one.get("supercategory") for one in listed}
    return {
        one["id"]: plain(str(one["name"]))
        for one in listed
        if one["id"] in used or one["name"] not in above or one.get("supercategory") == one["name"]
    }


def _pictures(content: dict[str, Any], names: dict[Any, str], listed: Path, source: Source) -> list[Picture]:
    annotations: dict[Any, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for one in content.get("annotations") or ():
        annotations[one["image_id"]].append((f"annotation {one.get('id', '?')}", one))

    def parse(one: dict[str, Any], place: str) -> Shape:
        return _shape(one, names.get(one["category_id"], f"category_id {one['category_id']}"), place)

    pictures = []
    for image in content["images"]:
        name = str(image["file_name"])
        place = f"image {image['id']} ({name})"
        own = annotations.pop(image["id"], [])
        path = source.find(name, listed, place)
        if path is not None:
            size_wh = (int(image.get("width") or 0), int(image.get("height") or 0))
            shapes = source.shapes(own, parse, listed, place)
            pictures.append(Picture(path, name, listed, place, shapes, size_wh))
    for image_id, own in annotations.items():
        source.say(Reason.NO_PICTURE, listed, own[0][0], f"image_id {image_id!r} is none of the images")
    return pictures


def _shape(one: dict[str, Any], label: str, place: str) -> Shape:
    """A shape; a ValueError, KeyError or TypeError says what is wrong with it."""
    area = one.get("segmentation")
    if isinstance(area, dict):
        height, width = area["size"]
        counts = area["counts"]
        runs = rle.coco_counts(counts) if isinstance(counts, str) else counts
        return Shape(label, place, bitmap=Bitmap.of(rle.decode(runs, (height, width), by_columns=True)))
    if area:
        return Shape(label, place, tuple(ring(points) for points in area))
    x, y, width, height = map(float, one["bbox"])
    box = (x, y, x + width, y + height)
    return Shape(label, place, (rectangle(box),), box=box)


def write(folder: Path, pictures: Sequence[Picture], labels: Sequence[str], palette: Sequence[Color]) -> None:
    """Write ``annotations/instances_default.json`` for pictures that are in ``folder/images``.

    COCO has no colours. Shapes do not overlap there, so those with holes are run lengths.
    """
    del palette
    annotations: list[dict[str, Any]] = []
    images = []
    for number, picture in enumerate(pictures, start=1):
        width, height = picture.size_wh
        images.append({"id": number, "file_name": picture.name, "width": width, "height": height})
        for shape in picture.shapes:
            known = {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0}
            known["category_id"] = labels.index(shape.label) + 1
            annotations.append({**known, **_area(shape, (height, width))})
    categories = [
        {"id": number, "name": name, "supercategory": ""} for number, name in enumerate(labels, start=1)
    ]
    content = {"info": {}, "licenses": [], "images": images, "categories": categories}
    text = json.dumps({**content, "annotations": annotations}, ensure_ascii=False)
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_default.json").write_text(text + "\n", encoding="utf-8")


def _area(shape: Shape, size_hw: tuple[int, int]) -> dict[str, Any]:
    """The fields of an annotation that say where it is."""
    if shape.bitmap is None:
        points = np.concatenate(shape.rings)
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        covered = sum(_covered(one[:, 0], one[:, 1]) for one in shape.rings)
        lists: Any = [one.ravel().tolist() for one in shape.rings]
        return {"segmentation": lists, "bbox": [x1, y1, x2 - x1, y2 - y1], "area": covered}
    rows, columns = shape.bitmap.pixels.shape
    left, top = shape.bitmap.left, shape.bitmap.top
    mask = np.zeros(size_hw, np.bool_)
    mask[top : top + rows, left : left + columns] = shape.bitmap.pixels
    runs = {"counts": rle.encode(mask, by_columns=True), "size": list(size_hw)}
    return {"segmentation": runs, "bbox": [left, top, columns, rows], "area": int(mask.sum())}


def _covered(x: Any, y: Any) -> float:
    """The area of a polygon, px²."""
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
