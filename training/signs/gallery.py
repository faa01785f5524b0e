"""Crops of signs to look at; each has its class, and nothing is drawn over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perception.frames import Frame
from training.gallery import Gallery, Shown
from training.signs import data as signs
from training.split import split_by_track
from training.tasks import parameters


class SignGallery(Gallery):
    """Each crop has the class of its folder."""

    def __init__(self, root: Path) -> None:
        dataset = signs.read(root)
        usual = parameters(signs.SignData)
        train, val = split_by_track(dataset.images, val_fraction=usual["val_fraction"], seed=usual["seed"])
        self._parts = {"train": train, "val": val}
        self.labels, self.common = dataset.labels, {}

    def __len__(self) -> int:
        return sum(map(len, self._parts.values()))

    def pictures(self) -> Iterator[Shown]:
        for part, images in self._parts.items():
            for image in images:
                yield Shown(image.path, part, (image.class_id,))

    @staticmethod
    def draw(frame: Frame, truth: Mapping[str, Any], common: Mapping[str, Any], opacity: float) -> Frame:
        return frame
