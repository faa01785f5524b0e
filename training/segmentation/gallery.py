"""Pictures with label images to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perception.draw import overlay_mask
from perception.frames import Frame
from perception.tasks import UNLABELLED
from training.datasets.images import MaskImage
from training.datasets.pictures import read_mask
from training.gallery import Gallery, Shown
from training.segmentation import data as segmentation


class MaskGallery(Gallery):
    """Each picture has a label image."""

    def __init__(self, root: Path) -> None:
        self._masks = segmentation.read(root)
        self.labels = self._masks.labels
        self.common = {
            "labels": self.labels,
            "palette": self._masks.palette,
            "ids": self._masks.ids.tolist(),
        }

    def __len__(self) -> int:
        return len(self._masks.train) + len(self._masks.val)

    def pictures(self) -> Iterator[Shown]:
        for part, images in (("train", self._masks.train), ("val", self._masks.val)):
            for image in images:
                yield Shown(image.path, part, self._classes(image), {"mask": str(image.mask_path)})

    def _classes(self, image: MaskImage) -> tuple[int, ...]:
        present = np.unique(read_mask(image.mask_path, self._masks.ids))
        return tuple(int(class_id) for class_id in present if class_id != UNLABELLED)

    @staticmethod
    def draw(frame: Frame, truth: Mapping[str, Any], common: Mapping[str, Any], opacity: float) -> Frame:
        ids = read_mask(Path(truth["mask"]), np.array(common["ids"], np.uint8))
        return overlay_mask(frame, ids, common["labels"], common["palette"], alpha=opacity, legend=False)
