"""Pictures with boxes to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception.draw import KNOWN, Mark, overlay_boxes
from perception.frames import Frame
from training.datasets import boxes
from training.datasets.images import BoxImage
from training.detection.data import BoxData
from training.gallery import Gallery, Shown
from training.tasks import parameters


class BoxGallery(Gallery):
    """Each picture has boxes, or none."""

    def __init__(self, root: Path) -> None:
        dataset = boxes.read(root)
        train, val = boxes.split(dataset.images, val_fraction=parameters(BoxData)["val_fraction"])
        self._parts = {"train": train, "val": val}
        self.labels, self.common = dataset.labels, {"labels": dataset.labels}

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def pictures(self) -> Iterator[Shown]:
        for part, images in self._parts.items():
            for image in images:
                truth = {"boxes": image.boxes, "class_ids": image.class_ids, "in_shares": image.in_shares}
                yield Shown(image.path, part, tuple(sorted(set(image.class_ids))), truth)

    @staticmethod
    def draw(frame: Frame, truth: Mapping[str, Any], common: Mapping[str, Any], opacity: float) -> Frame:
        rows = tuple(tuple(box) for box in truth["boxes"])
        image = BoxImage(Path(), rows, tuple(truth["class_ids"]), in_shares=truth["in_shares"])
        marks = [
            Mark((box[0], box[1], box[2], box[3]), common["labels"][class_id], KNOWN)
            for box, class_id in zip(image.pixels((frame.shape[0], frame.shape[1])).tolist(), image.class_ids)
        ]
        drawn = overlay_boxes(frame, marks)
        return np.asarray(cv2.addWeighted(frame, 1.0 - opacity, drawn, opacity, 0.0), np.uint8)
