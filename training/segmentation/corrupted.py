"""Corrupted pictures: how much of what a segmentation model answers is still right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perception import Segmenter
from perception.frames import Frame
from training.corrupt.moved import Moved
from training.corrupt.trial import Scene, Trial
from training.datasets.images import MaskImage
from training.metrics import confusion_matrix, miou
from training.segmentation.evaluate import read_labelled, read_pictures

Confusion = NDArray[np.int64]


class MaskTrial(Trial):
    """The trial of a segmentation model; its answers are confusion matrices, (K, K + 1) pixels.

    Args:
        segment: the model.
        data: root of the data set.
        split: ``val`` or ``all``.

    Raises:
        DataError: the data set cannot be read or has other classes.
    """

    def __init__(self, segment: Segmenter, data: Path, *, split: str) -> None:
        self.segment = segment
        pictures = read_pictures(segment.spec, data, split)
        self.dataset, self.items, self.remarks = pictures.dataset, pictures.images, pictures.remarks
        self.measures: Mapping[str, Callable[[Sequence[Confusion]], float]] = {
            "mIoU": overlap,
            "global accuracy": global_accuracy,
        }

    def read(self, item: MaskImage) -> Scene:
        frame, truth = read_labelled(item, self.dataset)
        return Scene(frame, truth, item.path.name)

    def ask(self, scenes: Sequence[Scene]) -> list[Confusion]:
        count = len(self.dataset.labels)
        return [confusion_matrix(one.truth, self.segment(one.frame).class_ids, count) for one in scenes]

    def follow(self, truth: NDArray[np.uint8], moved: Moved) -> NDArray[np.uint8]:
        return moved.mask(truth)

    def drawn(self, scene: Scene) -> Frame:
        return self.segment(scene.frame).overlay(scene.frame, legend=False)


def overlap(answers: Sequence[Confusion]) -> float:
    """Mean IoU of all pictures together; NaN without a labelled pixel."""
    return miou(_sum(answers))


def global_accuracy(answers: Sequence[Confusion]) -> float:
    """Share of the labelled pixels whose class is right; NaN without one."""
    confusion = _sum(answers)
    pixels = int(confusion.sum())
    return float(np.diag(confusion).sum() / pixels) if pixels else float("nan")


def _sum(answers: Sequence[Confusion]) -> Confusion:
    return np.asarray(np.sum(answers, axis=0), np.int64)
