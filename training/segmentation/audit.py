"""Audit pictures with label images: masks that a model contradicts, and masks that are half empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cleanlab.segmentation.rank import get_label_quality_scores
from numpy.typing import NDArray

from perception import Segmenter, draw
from perception.frames import Frame
from perception.segmentation import RoadMask
from perception.tasks import UNLABELLED
from training.audit.auditing import Item, Seen, Suspect, drive_of, hindsight, unusual, warning
from training.datasets.images import DataError
from training.datasets.pictures import read_mask, require_unturned
from training.datasets.text import plain
from training.segmentation import data as segmentation
from training.split import of_pictures

WRONG, EMPTY = "mask that the model contradicts", "mask with little in it"
ENOUGH = 200_000  # pixels of a picture that are compared; larger ones are thinned
LESS = 0.2  # of the pixels fewer than usual have a class: then the mask is suspected to be unfinished
OTHERS = "The model has other classes, so no mask is compared with it; give a --model of these classes."
MORE = "A model that has learnt from other pictures sees more."


@dataclass(frozen=True)
class Answer:
    """What there is to remember of one picture.

    Attributes:
        quality: 0…1, how good the mask seems to the model; NaN if it was not asked, or nothing is labelled.
        says: what it contradicts most.
        empty: 0…1, pixels without a class.
        present: names of the classes in the mask.
    """

    quality: float
    says: str
    empty: float
    present: tuple[str, ...]


class MaskAudit:
    """A :class:`training.audit.auditing.Auditor` of masks.

    Args:
        root: the data set.
        model: whose answers count; with other classes, it only says which pictures look alike.

    Raises:
        DataError: the data set cannot be read.
    """

    has_look = True

    def __init__(self, root: Path, model: Segmenter) -> None:
        self._masks, self._model = segmentation.read(root), model
        dataset = self._masks
        self.data_set = dataset.name
        self._images = dataset.train + dataset.val
        self.items = tuple(
            Item(
                image.path,
                "train" if number < len(dataset.train) else "val",
                str(image.path),
                drive_of(image.path),
            )
            for number, image in enumerate(self._images)
        )
        knows = tuple(map(plain, model.spec.labels)) == dataset.labels
        self.judged_by = "the model" if knows else ""
        remark = warning(hindsight(model.spec, dataset.name, of_pictures(dataset.val)), MORE)
        if not knows:
            remark = OTHERS
        self.remarks = (remark,) if remark else ()

    def answer(self, numbers: Sequence[int], frames: Sequence[Frame]) -> Sequence[Answer]:
        """How far the masks agree with the model."""
        return [self._answer(number, frame) for number, frame in zip(numbers, frames)]

    def _answer(self, number: int, frame: Frame) -> Answer:
        given = self._read(number, frame)
        present = np.setdiff1d(np.unique(given), UNLABELLED)
        empty = float((given == UNLABELLED).mean())
        names = tuple(self._masks.labels[class_id] for class_id in present)
        if not self.judged_by or not len(present):
            return Answer(float("nan"), "", empty, names)
        thin = int(np.ceil(np.sqrt(given.size / ENOUGH)))
        road = self._model(frame)
        given, ids = given[::thin, ::thin], road.class_ids[::thin, ::thin]
        quality = mask_quality(given, ids, road.confidence[::thin, ::thin], len(self._masks.labels))
        return Answer(quality, self._contradicted(given, ids), empty, names)

    def _read(self, number: int, frame: Frame) -> NDArray[np.uint8]:
        image = self._images[number]
        require_unturned(image.path)
        given = read_mask(image.mask_path, self._masks.ids)
        if given.shape != frame.shape[:2]:
            sizes = "{1}×{0} px, its picture {3}×{2}".format(*given.shape, *frame.shape[:2])
            raise DataError(f"{image.mask_path} has {sizes}; export it again, unscaled")
        return given

    def _contradicted(self, given: NDArray[np.uint8], ids: NDArray[np.uint8]) -> str:
        """The two classes that are most often confused, in words."""
        wrong = (given != ids) & (given != UNLABELLED)
        if not wrong.any():
            return "as the model sees it"
        pairs = given[wrong].astype(np.int64) * 256 + ids[wrong]
        most = int(np.bincount(pairs).argmax())
        share = float((pairs == most).sum() / given.size)
        own, other = (self._masks.labels[class_id] for class_id in divmod(most, 256))
        return f"{wrong.mean():.0%} of the pixels contradicted; {share:.0%} are {own}, rather {other}"

    def labels(self, number: int, answer: Answer) -> Sequence[str]:
        """Names of the classes in a mask."""
        return answer.present

    def suspects(self, seen: Seen) -> Sequence[Suspect]:
        """The masks, by how far they are from what the model says, and those that are emptier than usual."""
        answers: Sequence[Answer] = seen.answers
        usual = float(np.median([answer.empty for answer in answers]))
        qualities = np.array([answer.quality for answer in answers])
        likely = unusual(qualities)
        found = [
            Suspect(number, WRONG, answer.quality, bool(bad), answer.says)
            for number, answer, bad in zip(seen.numbers, answers, likely)
            if not np.isnan(answer.quality)
        ]
        found += [
            Suspect(number, EMPTY, 1 - answer.empty, True, f"{answer.empty:.0%} of the pixels have no class")
            for number, answer in zip(seen.numbers, answers)
            if answer.empty > usual + LESS
        ]
        return sorted(found, key=lambda one: one.score)

    def drawn(self, suspect: Suspect, frame: Frame) -> Frame:
        """The picture with its mask, and beside it with what the model sees."""
        given = self._read(suspect.number, frame)
        labels, palette = self._masks.labels, self._masks.palette
        mask = draw.overlay_mask(frame, given, labels, palette)
        if not self.judged_by:
            return mask
        road: RoadMask = self._model(frame)
        return np.asarray(
            cv2.hconcat([mask, draw.overlay_mask(frame, road.class_ids, labels, palette)]), np.uint8
        )

    def close(self) -> None:
        """Nothing was opened."""


def mask_quality(
    given: NDArray[np.uint8], ids: NDArray[np.uint8], confidence: NDArray[np.uint8], classes: int
) -> float:
    """How good a mask seems to a model, 0…1 (Lad & Mueller 2023, by cleanlab).

    A model file gives the best class and its confidence; the rest is shared by the others. Pixels without a
    class count as the model sees them.

    Args:
        given: (H, W) class ids of the mask, 255 = unlabelled.
        ids: (H, W) class ids of the model.
        confidence: (H, W) of these, 0…255.
        classes: how many there are.
    """
    sure = confidence.astype(np.float32) / 255.0
    scores = np.repeat(((1.0 - sure) / max(1, classes - 1))[np.newaxis], classes, axis=0)
    np.put_along_axis(scores, ids[np.newaxis].astype(np.int64), sure[np.newaxis], axis=0)
    filled = np.where(given == UNLABELLED, ids, given).astype(np.int64)
    scores = np.where(given == UNLABELLED, 1.0, scores)
    quality, _ = get_label_quality_scores(filled[np.newaxis], scores[np.newaxis], verbose=False)
    return float(quality[0])
