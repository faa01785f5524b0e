"""Check street pictures with boxes: GTSDB, COCO, YOLO or Pascal VOC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from training.check.pictures import Look, Picture, each, look, picture_problems, unused
from training.check.problems import Check, Kind, Problem, by_kind, counted, few, of_names
from training.datasets import boxes
from training.datasets.excluded import Excluded
from training.datasets.images import BoxImage, DataError
from training.datasets.pictures import is_turned
from training.detection.targets import SMALLEST

BEYOND = 1.0  # px that a box may reach beyond its picture, because of rounding


def claims(root: Path) -> bool:
    """Whether a folder has boxes in one of the forms."""
    return boxes.form_of(root) is not None


def summary(root: Path) -> str:
    """What a data set of boxes is taken for: its form, classes, boxes and pictures.

    Raises:
        DataError: it cannot be read.
    """
    dataset, form = boxes.read(root), boxes.form_of(root)
    assert form is not None, "it was read"
    count = sum(len(image.boxes) for image in dataset.images)
    val = sum(image.part == "val" for image in dataset.images)
    pictures = f"{len(dataset.images) - val} + {val}" if val else f"{len(dataset.images)}"
    return (
        f"{form.name}, {counted(count, 'box', 'boxes')} of {few(dataset.labels)}, all learnt as signs, "
        f"{pictures} pictures"
    )


def check(root: Path, *, val_fraction: float = 0.2, exclude: str | Path | None = None) -> list[Problem]:
    """Check a data set of boxes, split as ``BoxData`` splits it; arguments as there.

    Returns:
        Everything that is wrong, by kind, errors first.
    """
    try:
        dataset = boxes.read(root)
        train, val = boxes.split(dataset.images, val_fraction=val_fraction)
    except DataError as error:
        return [Problem(Kind.LAYOUT, root, str(error))]
    excluded = Excluded.read(exclude, root, dataset.images)
    train, val, images = map(excluded.rest, (train, val, dataset.images))
    problems = [*of_names([(root, name) for name in dataset.labels]), *_of_parts(root, train, val)]
    there = [image for image in images if image.path.is_file()]
    problems += [
        Problem(Kind.MISSING, image.path, f"{counted(len(image.boxes), 'box', 'boxes')} listed")
        for image in images
        if not image.path.is_file()
    ]
    training = {image.path for image in train}
    looks = each(look, [image.path for image in there])
    pictures = [Picture(image.path, "", image.path in training) for image in there]
    problems += picture_problems(pictures, looks)
    turned = each(_is_turned, looks)
    for image, seen, is_turned_now in zip(there, looks, turned):
        if not seen.problem:
            problems += _of_size(image, seen, is_turned_now) or list(_of_boxes(image, seen))
    for folder in sorted({image.path.parent for image in there}):
        problems += unused(folder)
    return by_kind(problems)


def _of_parts(root: Path, train: Sequence[BoxImage], val: Sequence[BoxImage]) -> Iterator[Problem]:
    if not any(image.boxes for image in [*train, *val]):
        yield Problem(Kind.NO_BOXES, root, f"{len(train) + len(val)} pictures, and no box in any of them")
    elif not any(image.boxes for image in val):
        yield Problem(Kind.NO_SPLIT, root, f"no box in the {len(val)} pictures that validate")
    elif not any(image.boxes for image in train):
        yield Problem(Kind.NO_BOXES, root, f"no box in the {len(train)} pictures to learn from")


def _is_turned(seen: Look) -> bool:
    return not seen.problem and is_turned(seen.path)


def _of_size(image: BoxImage, seen: Look, is_turned_now: bool) -> list[Problem]:
    """Whether the boxes are of this picture, and this way round."""
    if image.size_wh == seen.size_wh:
        return []
    if is_turned_now and (not any(image.size_wh) or image.size_wh == seen.size_wh[::-1]) and image.boxes:
        return [Problem(Kind.TURNED_BOXES, image.path, "{}×{} px when it is upright".format(*seen.size_wh))]
    if all(image.size_wh):
        sizes = "{}×{} px, its boxes are for {}×{}".format(*seen.size_wh, *image.size_wh)
        return [Problem(Kind.BOX_SIZE, image.path, sizes)]
    return []


def _of_boxes(image: BoxImage, seen: Look) -> Iterator[Problem]:
    """Boxes that cannot be signs of this picture."""
    width, height = seen.size_wh
    found = image.pixels((height, width))
    for own, box in zip(image.boxes, found):
        text = ", ".join(f"{value:g}" for value in own)
        size = box[2:] - box[:2]
        if not np.isfinite(box).all() or (size <= 0).any():
            yield Problem(Kind.EMPTY_BOX, image.path, f"({text}) has no area")
        elif (box[:2] < -BEYOND).any() or (box[2:] > np.array([width, height]) + BEYOND).any():
            unit = "1, so these are no shares" if image.in_shares and max(own) > 2 else f"{width}×{height} px"
            yield Problem(Kind.OUTSIDE, image.path, f"({text}) reaches beyond {unit}")
        elif size[0] < SMALLEST:
            yield Problem(Kind.TINY_BOX, image.path, f"({text}) is {size[0]:.1f} px wide")
    for own, count in Counter(image.boxes).items():
        if count > 1:
            yield Problem(Kind.TWICE, image.path, f"({', '.join(f'{value:g}' for value in own)})")


CHECK = Check(
    problems=check,
    claims=claims,
    content="boxes",
    config="sign_detector.yaml",
    summary=summary,
    otherwise="for signs, cut each box out into a folder of its class (Stop/…jpg)",
)
