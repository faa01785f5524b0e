"""Label Studio: one JSON file of tasks, with polygons, brushes, rectangles and ellipses in percent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from perception.paths import natural_order
from perception.pictures import SUFFIXES
from training.datasets.images import DataError
from training.datasets.labels import rle
from training.datasets.labels.shapes import (
    Bitmap,
    Labels,
    Picture,
    Reason,
    Shape,
    are_boxes,
    ellipse,
    rectangle,
    ring,
)
from training.datasets.labels.source import Source
from training.datasets.text import plain, read_json

NAME = "Label Studio"
KINDS = ("polygon", "brush", "rectangle", "ellipse")
NO_AREAS = ("keypoint", "keypointlabels", "choices", "textarea", "rating", "number", "vector", "vectorlabels")
UPLOADED = re.compile(r"[0-9a-f]{8}-")  # Label Studio puts it before the names of uploaded pictures


def claims(source: Source) -> bool:
    """Whether there is such a file."""
    return any(_tasks(path) is not None for path in source.files(".json"))


def _tasks(path: Path) -> list[dict[str, Any]] | None:
    """The tasks of a file; None if it is of another kind.

    Raises:
        DataError: it is Label Studio's small form, which leaves out what is needed.
    """
    try:
        content = read_json(path)
    except ValueError:
        return None
    if not isinstance(content, list) or not content or not all(isinstance(one, dict) for one in content):
        return None
    if "annotation_id" in content[0] and "data" not in content[0]:
        raise DataError(f"{path} is Label Studio's JSON-MIN; export it as JSON")
    return content if "data" in content[0] and "annotations" in content[0] else None


def read(source: Source) -> Labels:
    """Read pictures and shapes; classes are in the order of their names."""
    pictures: list[Picture] = []
    for path in source.files(".json"):
        for number, task in enumerate(_tasks(path) or (), start=1):
            try:
                pictures += _pictures(task, path, f"task {task.get('id', number)}", source)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path}, task {task.get('id', number)}: {error!r}; expected data and annotations with "
                    "results; export it again as JSON"
                ) from error
    used = {shape.label for picture in pictures for shape in picture.shapes}
    labels = tuple(sorted(used - {""}, key=natural_order))
    return Labels(NAME, labels, tuple(pictures), are_boxes=are_boxes(pictures))


def _pictures(task: dict[str, Any], listed: Path, place: str, source: Source) -> Iterator[Picture]:
    """The picture of a task; none if it cannot be found."""
    own = [one for one in task["annotations"] if not one.get("was_cancelled")]
    if len(own) > 1:
        source.say(Reason.SEVERAL, listed, place, f"{len(own)} annotations")
    results: list[dict[str, Any]] = own[-1]["result"] if own else []
    name = _name(task["data"])
    stem = PurePosixPath(name).name
    if UPLOADED.match(stem) and not source.has(stem):
        name = str(PurePosixPath(name).with_name(stem[9:]))
    path = source.find(name, listed, place)
    if path is None:
        return
    # With the tags Labels and Polygon, the class is a result of its own that has the same id.
    classes = {one.get("id"): _class(one) for one in results if _class(one)}

    def parse(one: dict[str, Any], where: str) -> Shape | None:
        kind = str(one["type"]).removesuffix("labels")
        if one["type"] == "labels" or not kind:
            return None
        if one["type"] in NO_AREAS:
            source.say(Reason.NO_AREA, listed, f"{place}, {where}", str(one["type"]))
            return None
        return _shape(one, kind, _class(one) or classes.get(one.get("id"), ""), where)

    elements = ((f"result {one.get('id', number)}", one) for number, one in enumerate(results, start=1))
    shapes = source.shapes(elements, parse, listed, place)
    sized = next((one for one in results if one.get("original_width")), {})
    size_wh = (int(sized.get("original_width", 0)), int(sized.get("original_height", 0)))
    yield Picture(path, name, listed, place, shapes, size_wh)


def _name(data: dict[str, Any]) -> str:
    """The name of a task's picture, out of its address."""
    texts = [text for key, text in sorted(data.items()) if isinstance(text, str)]
    named = [text for text in texts if Path(unquote(text)).suffix.lower() in SUFFIXES]
    text = next(iter(named or texts), "")
    if not text:
        raise ValueError("data has no address of a picture")
    address = urlsplit(text)
    inner = parse_qs(address.query).get("d")  # of files that are served from a folder
    return inner[0] if inner else unquote(address.path or text).lstrip("/")


def _class(result: dict[str, Any]) -> str:
    """The class in a result; of several, the first."""
    value = result.get("value") or {}
    names = value.get(str(result.get("type"))) or value.get("labels") or ()
    return plain(str(names[0])) if isinstance(names, list) and names else ""


def _shape(one: dict[str, Any], kind: str, label: str, place: str) -> Shape:
    """A shape; a ValueError, KeyError or TypeError says what is wrong with it."""
    value, width, height = one["value"], one["original_width"], one["original_height"]
    if one.get("image_rotation"):
        raise ValueError(f"the picture was turned by {one['image_rotation']}° when it was drawn")
    if kind == "polygon":
        return Shape(label, place, (ring(value["points"]) * (width / 100, height / 100),))
    if kind == "brush":
        if value.get("format") != "rle":
            raise ValueError(f"a brush of format {value.get('format')!r}; expected rle")
        return Shape(label, place, bitmap=Bitmap.of(rle.decode_label_studio(value["rle"], (height, width))))
    x, y = value["x"] * width / 100, value["y"] * height / 100
    degrees = float(value.get("rotation") or 0)
    if kind == "rectangle":
        box = (x, y, x + value["width"] * width / 100, y + value["height"] * height / 100)
        points = rectangle(box, degrees, about=(x, y))  # the corner, not the centre
        return Shape(label, place, (points,), box=None if degrees else box)
    if kind == "ellipse":
        radii = (value["radiusX"] * width / 100, value["radiusY"] * height / 100)
        return Shape(label, place, (ellipse((x, y), radii, degrees),))
    raise ValueError(f"{one['type']} is none of {', '.join(KINDS)}")
