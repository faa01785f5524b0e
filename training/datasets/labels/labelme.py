"""LabelMe: a JSON file beside each picture."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception.paths import natural_order
from perception.spec import Color
from training.datasets.images import DataError, is_hidden
from training.datasets.labels.shapes import (
    Bitmap,
    Labels,
    Part,
    Picture,
    Reason,
    Shape,
    are_boxes,
    ellipse,
    rectangle,
    ring,
)
from training.datasets.labels.source import Source, part_of
from training.datasets.text import plain, read_json

NAME = "LabelMe"
VERSION = "5.5.0"  # of LabelMe, whose form has had masks since 5.3
NO_AREAS = ("point", "points", "line", "linestrip")


def claims(source: Source) -> bool:
    """Whether there is such a file."""
    return next(_contents(source), None) is not None


def _contents(source: Source) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files and what they hold; those of other kinds are passed over."""
    paths = [source.path] if source.path.is_file() else sorted(source.root.rglob("*.json"), key=natural_order)
    for path in paths:
        if path.suffix.lower() != ".json" or is_hidden(path):
            continue
        try:
            content = read_json(path)
        except (DataError, ValueError) as error:
            source.say(Reason.UNREADABLE, path, "", str(error))
            continue
        if isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content:
            yield path, content


def read(source: Source) -> Labels:
    """Read pictures and shapes; classes are in the order of their names."""
    source.unmapped.clear()  # of looking whether it is this form
    pictures = []
    for path, content in _contents(source):
        try:
            picture = _picture(path, content, source)
        except (TypeError, ValueError) as error:
            source.say(Reason.UNREADABLE, path, "", str(error))
            continue
        pictures += [] if picture is None else [picture]
    used = {shape.label for picture in pictures for shape in picture.shapes}
    labels = tuple(sorted(used - {""}, key=natural_order))
    return Labels(NAME, labels, tuple(pictures), are_boxes=are_boxes(pictures))


def _picture(listed: Path, content: dict[str, Any], source: Source) -> Picture | None:
    beside = listed.parent.relative_to(source.root) / str(content["imagePath"]).replace("\\", "/")
    name = Path(*(step for step in beside.parts if step != "..")).as_posix()
    path = source.find(name, listed)
    if path is None:
        return None

    def parse(one: dict[str, Any], place: str) -> Shape | None:
        if one.get("shape_type") in NO_AREAS:
            source.say(Reason.NO_AREA, listed, place, f"{one['shape_type']} {one.get('label', '')}")
            return None
        return _shape(one, place)

    elements = ((f"shape {number}", one) for number, one in enumerate(content["shapes"], start=1))
    shapes = source.shapes(elements, parse, listed)
    size_wh = (int(content.get("imageWidth") or 0), int(content.get("imageHeight") or 0))
    named = (found for found in map(part_of, Path(name).parts[:-1]) if found)
    part: Part = next(named, "")
    return Picture(path, name, listed, "", shapes, size_wh, part)


def _shape(one: dict[str, Any], place: str) -> Shape:
    """A shape; a ValueError, KeyError or TypeError says what is wrong with it."""
    label = plain(str(one.get("label") or ""))
    points = ring(one["points"])
    kind = one.get("shape_type") or "polygon"
    if kind in ("polygon", "oriented_rectangle"):
        return Shape(label, place, (points,))
    first, second = points.tolist()[:2]
    if kind == "rectangle":
        (x1, x2), (y1, y2) = sorted((first[0], second[0])), sorted((first[1], second[1]))
        return Shape(label, place, (rectangle((x1, y1, x2, y2)),), box=(x1, y1, x2, y2))
    if kind == "circle":
        radius = float(np.hypot(second[0] - first[0], second[1] - first[1]))
        return Shape(label, place, (ellipse((first[0], first[1]), (radius, radius)),))
    if kind == "mask":
        return Shape(label, place, bitmap=Bitmap.of(_pixels(one["mask"]), round(first[0]), round(first[1])))
    raise ValueError(f"shape_type {kind!r} is unknown")


def _pixels(text: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    try:
        data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except (binascii.Error, cv2.error) as error:
        raise ValueError(f"its mask is no picture: {error}") from error
    if mask is None:
        raise ValueError("its mask is no picture")
    return np.asarray(mask) > 0


def write(folder: Path, pictures: Sequence[Picture], labels: Sequence[str], palette: Sequence[Color]) -> None:
    """Write a JSON file for each picture into ``folder``, and ``labels.txt`` for LabelMe's ``--labels``.

    LabelMe gives colours to classes itself.
    """
    del palette
    for picture in pictures:
        width, height = picture.size_wh
        content: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": [_written(shape) for shape in picture.shapes],
            "imagePath": picture.name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        path = (folder / picture.name).with_suffix(".json")
        path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")


def _written(shape: Shape) -> dict[str, Any]:
    common: dict[str, Any] = {"label": shape.label, "group_id": None, "description": "", "flags": {}}
    if shape.bitmap is None:
        return {**common, "points": shape.rings[0].tolist(), "shape_type": "polygon", "mask": None}
    rows, columns = shape.bitmap.pixels.shape
    left, top = shape.bitmap.left, shape.bitmap.top
    png = cv2.imencode(".png", shape.bitmap.pixels.astype(np.uint8) * 255)[1].tobytes()
    corners = [[left, top], [left + columns - 1, top + rows - 1]]
    return {**common, "points": corners, "shape_type": "mask", "mask": base64.b64encode(png).decode()}
