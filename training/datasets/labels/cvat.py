"""CVAT for images 1.1: one XML file of polygons, masks, boxes and ellipses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from perception.paths import natural_order
from perception.spec import Color
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
from training.datasets.labels.source import Source, part_of
from training.datasets.text import plain, read_text

NAME = "CVAT for images"
NO_AREAS = ("polyline", "points", "cuboid", "skeleton", "tag")


def claims(source: Source) -> bool:
    """Whether there is such a file."""
    return bool(_files(source))


def _files(source: Source) -> list[Path]:
    return [path for path in source.files(".xml") if b"<annotations" in path.read_bytes()[:2000]]


def read(source: Source) -> Labels:
    """Read pictures and shapes.

    Raises:
        DataError: a file is no XML, or is of a video.
    """
    labels: dict[str, None] = {}
    colors: dict[str, Color] = {}
    pictures: list[Picture] = []
    for path in _files(source):
        try:
            root = ElementTree.fromstring(read_text(path))
        except ElementTree.ParseError as error:
            raise DataError(f"{path}: {error}; export it again as CVAT for images 1.1") from error
        if root.find("track") is not None:
            raise DataError(f"{path} is of a video, with tracks; export it as CVAT for images 1.1")
        for label in root.iter("label"):
            name = plain((label.findtext("name") or "").strip())
            if name and not label.findtext("parent"):  # else a point of a skeleton
                labels[name] = None
                if color := _color(label.findtext("color") or ""):
                    colors[name] = color
        for image in root.iter("image"):
            try:
                picture = _picture(image, path, source)
            except ValueError as error:
                source.say(Reason.UNREADABLE, path, f"image {image.get('id', '?')}", str(error))
                continue
            pictures += [] if picture is None else [picture]
    used = {shape.label for picture in pictures for shape in picture.shapes}
    names = tuple(labels) or tuple(sorted(used, key=natural_order))
    return Labels(NAME, names, tuple(pictures), colors, are_boxes(pictures))


def _picture(image: ElementTree.Element, listed: Path, source: Source) -> Picture | None:
    name = image.get("name") or ""
    place = f"image {image.get('id', '?')} ({name})"
    elements = ((f"{one.tag} {number}", one) for number, one in enumerate(image, start=1))
    path = source.find(name, listed, place)
    if path is None:
        return None

    def parse(one: ElementTree.Element, where: str) -> Shape | None:
        if one.tag in NO_AREAS:
            source.say(Reason.NO_AREA, listed, f"{place}, {where}", one.get("label") or "")
            return None
        return _shape(one, where)

    shapes = source.shapes(elements, parse, listed, place)
    size_wh = (int(image.get("width") or 0), int(image.get("height") or 0))
    return Picture(path, name, listed, place, shapes, size_wh, part_of(image.get("subset") or ""))


def _shape(one: ElementTree.Element, place: str) -> Shape:
    """A shape; a ValueError or KeyError says what is wrong with it."""
    label = plain(one.attrib.get("label", ""))
    order = int(one.get("z_order") or 0)
    degrees = float(one.get("rotation") or 0)
    if one.tag == "polygon":
        points = [pair.split(",") for pair in one.attrib["points"].split(";") if pair]
        return Shape(label, place, (ring([[float(x), float(y)] for x, y in points]),), order=order)
    if one.tag == "box":
        x1, y1, x2, y2 = (float(one.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        box = None if degrees else (x1, y1, x2, y2)
        return Shape(label, place, (rectangle((x1, y1, x2, y2), degrees),), box=box, order=order)
    if one.tag == "ellipse":
        x, y, across, down = (float(one.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
        return Shape(label, place, (ellipse((x, y), (across, down), degrees),), order=order)
    if one.tag == "mask":
        left, top, width, height = (int(float(one.attrib[key])) for key in ("left", "top", "width", "height"))
        pixels = rle.decode([int(run) for run in one.attrib["rle"].split(",")], (height, width))
        return Shape(label, place, bitmap=Bitmap.of(pixels, left, top), order=order)
    raise ValueError(f"{one.tag} is none of polygon, mask, box and ellipse")


def _color(text: str) -> Color | None:
    digits = text.strip().removeprefix("#")
    if len(digits) != 6 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def write(folder: Path, pictures: Sequence[Picture], labels: Sequence[str], palette: Sequence[Color]) -> None:
    """Write ``annotations.xml`` for pictures that are in ``folder/images``, and ``labels.json``.

    The second is what CVAT's form for labels takes under "Raw".
    """
    colors = ["#{:02x}{:02x}{:02x}".format(*color) for color in palette]
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "name").text = folder.name.removesuffix(".part")
    ElementTree.SubElement(task, "size").text = str(len(pictures))
    ElementTree.SubElement(task, "mode").text = "annotation"
    listed = ElementTree.SubElement(task, "labels")
    for label, color in zip(labels, colors):
        one = ElementTree.SubElement(listed, "label")
        for key, value in (("name", label), ("color", color), ("type", "any")):
            ElementTree.SubElement(one, key).text = value
        ElementTree.SubElement(one, "attributes")
    for number, picture in enumerate(pictures):
        width, height = picture.size_wh
        known = {"id": str(number), "name": picture.name, "width": str(width), "height": str(height)}
        image = ElementTree.SubElement(root, "image", known)
        for shape in picture.shapes:
            _write_shape(image, shape)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    (folder / "annotations.xml").write_bytes(text + b"\n")
    described = [{"name": name, "color": color, "attributes": []} for name, color in zip(labels, colors)]
    raw = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
    (folder / "labels.json").write_text(raw, encoding="utf-8")


def _write_shape(image: ElementTree.Element, shape: Shape) -> None:
    common = {"label": shape.label, "source": "auto", "occluded": "0"}
    order = {"z_order": str(shape.order)}
    for points in shape.rings:
        text = ";".join(f"{x:.2f},{y:.2f}" for x, y in points.tolist())
        ElementTree.SubElement(image, "polygon", {**common, "points": text, **order})
    if shape.bitmap is not None:
        height, width = shape.bitmap.pixels.shape
        runs = ", ".join(map(str, rle.encode(np.asarray(shape.bitmap.pixels))))
        where = {"left": shape.bitmap.left, "top": shape.bitmap.top, "width": width, "height": height}
        known = {key: str(value) for key, value in where.items()}
        ElementTree.SubElement(image, "mask", {**common, "rle": runs, **known, **order})
