"""Corrupted pictures: which signs a detector still finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception import SignDetector
from perception.frames import Frame
from training.corrupt.moved import Moved
from training.corrupt.trial import Scene, Trial
from training.datasets.images import BoxImage
from training.datasets.pictures import read_bgr
from training.detection.answers import Answer, Boxes, mean_average_precision, rank
from training.detection.evaluate import read_pictures

SEEN = 0.5  # share of a box from which on it must be found


@dataclass(frozen=True, eq=False)
class Wanted:
    """The boxes of one picture.

    Attributes:
        image: the picture.
        boxes: (M, 4) xyxy px of those that must be found.
        gone: (N, 4) xyxy px of those that may be found, because most of them cannot be seen any more.
    """

    image: BoxImage
    boxes: Boxes
    gone: Boxes


class BoxTrial(Trial):
    """The trial of a detector.

    Args:
        find: the model.
        data: root of the data set.
        split: ``val`` or ``all``.

    Raises:
        DataError: the data set cannot be read or has no box.
    """

    def __init__(self, find: SignDetector, data: Path, *, split: str) -> None:
        self.find = find
        pictures = read_pictures(find.spec, data, split)
        # Where there is no sign, only false alarms can be measured; limits shall not spend pictures on that.
        with_signs = [image for image in pictures.images if image.boxes]
        self.items: Sequence[BoxImage] = with_signs
        self.remarks = (
            *pictures.remarks,
            f"Measured on the {len(with_signs)} of {len(pictures.images)} pictures that show a sign",
        )
        self.measures: Mapping[str, Callable[[Sequence[Answer]], float]] = {
            "AP50": average_precision,
            "recall": recall,
        }

    def read(self, item: BoxImage) -> Scene:
        frame = read_bgr(item.path)
        boxes = item.pixels((frame.shape[0], frame.shape[1]))
        return Scene(frame, Wanted(item, boxes, np.empty((0, 4), np.float32)), item.path.name)

    def ask(self, scenes: Sequence[Scene]) -> list[Answer]:
        return [compared(self.find, scene) for scene in scenes]

    def follow(self, truth: Wanted, moved: Moved) -> Wanted:
        boxes, seen = moved.boxes(truth.boxes)
        return Wanted(truth.image, boxes[seen >= SEEN], boxes[seen < SEEN])

    def example(self, items: Sequence[BoxImage]) -> BoxImage:
        """The picture with the most signs."""
        return max(items, key=lambda item: len(item.boxes))

    def drawn(self, scene: Scene) -> Frame:
        return self.find(scene.frame).overlay(scene.frame)


def compared(find: SignDetector, scene: Scene) -> Answer:
    """What is found, without boxes on signs that are gone."""
    wanted: Wanted = scene.truth
    found = find(scene.frame)
    counts = ~lies_on(found.xyxy, wanted.gone)
    return Answer(
        wanted.image,
        wanted.boxes,
        found.xyxy[counts],
        found.scores[counts],
        np.empty(0, np.int64),
        np.empty(0, np.float32),
    )


def lies_on(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """(M,) whether half of each box is on one of the others."""
    corners = (
        np.maximum(boxes[:, None, :2], others[None, :, :2]),
        np.minimum(boxes[:, None, 2:], others[None, :, 2:]),
    )
    common = np.prod(np.maximum(corners[1] - corners[0], 0.0), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray((common >= SEEN * np.maximum(area, 1e-6)[:, None]).any(axis=1))


def average_precision(answers: Sequence[Answer]) -> float:
    """COCO's AP at an overlap of 0.5; NaN where no sign can be seen any more."""
    return mean_average_precision(answers)[0] if any(len(one.wanted) for one in answers) else float("nan")


def recall(answers: Sequence[Answer]) -> float:
    """Share of the signs that are found; NaN where none can be seen any more."""
    ranking = rank(answers)
    return float(ranking.is_hit.sum() / ranking.signs) if ranking.signs else float("nan")
