"""Boxes alone, in the forms that training reads as they are: GTSDB, COCO, YOLO and Pascal VOC."""

from __future__ import annotations

from training.datasets import boxes, parts
from training.datasets.labels.shapes import Labels, Picture, Reason, Shape, rectangle
from training.datasets.labels.source import Source

NAME = "boxes"


def claims(source: Source) -> bool:
    """Whether there are such files."""
    return source.path.is_dir() and boxes.form_of(source.root) is not None


def read(source: Source) -> Labels:
    """Read pictures and boxes of all parts but those to test with.

    Raises:
        DataError: a file cannot be used.
    """
    form = boxes.form_of(source.root)
    assert form is not None, "claims() comes first"
    dataset = form.read(source.root)
    for folder in parts.kept_out(source.root):
        source.say(Reason.TEST, folder)
    pictures = []
    for image in dataset.images:
        name = image.path.name
        if image.path.is_relative_to(source.root):
            name = image.path.relative_to(source.root).as_posix()
        if not image.path.is_file():
            source.say(Reason.NO_PICTURE, image.path)
            continue
        shapes = tuple(
            Shape(dataset.labels[class_id], f"box {number}", (rectangle(box),), box=box)
            for number, (box, class_id) in enumerate(zip(image.boxes, image.class_ids), start=1)
        )
        pictures.append(
            Picture(image.path, name, image.path, "", shapes, image.size_wh, image.part, image.in_shares)
        )
    return Labels(f"{form.name}, boxes", dataset.labels, tuple(pictures), are_boxes=True)
