"""Audit street pictures with boxes: signs without a box, boxes that are askew, and boxes of another class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cleanlab.object_detection.rank import (
    compute_badloc_box_scores,
    compute_overlooked_box_scores,
    compute_swap_box_scores,
)
from numpy.typing import NDArray

from perception import SignDetector
from perception.frames import Frame
from training.audit.auditing import Box, Item, Seen, Suspect, drive_of, hindsight, warning
from training.datasets import boxes as box_sets
from training.datasets.images import BoxImage
from training.datasets.text import plain
from training.detection.answers import open_reader
from training.detection.report import surroundings
from training.split import Split, of_pictures

OVERLOOKED, ASKEW, SWAPPED = "sign without a box", "box that is askew", "box of another class"
SURE = 0.5  # score of a found sign from which on it can contradict a label
LIKELY = {OVERLOOKED: 0.2, ASKEW: 0.5, SWAPPED: 0.3}  # the largest score of a label that is likely wrong
MORE = "A model that has learnt from other pictures sees more."

Found = NDArray[np.float64]
FAR_FOUND: tuple[Found, ...] = (np.array([[100.0, 100.0, 101.0, 101.0, 1.0]]),)


@dataclass(frozen=True, eq=False)
class Answer:
    """What there is to remember of one picture.

    Attributes:
        wanted: (N, 4) px, the boxes of the data set.
        found: for each class, (M, 5) px and score, the model's.
    """

    wanted: NDArray[np.float64]
    found: tuple[Found, ...]


class BoxAudit:
    """A :class:`training.audit.auditing.Auditor` of boxes.

    Args:
        root: the data set.
        model: what finds signs.
        reader: a model file that reads them, to judge the boxes' classes; None takes all for signs.

    Raises:
        DataError: the data set cannot be read, or has a class that the reader does not know.
        ModelError: the reader cannot be used.
    """

    has_look = False

    def __init__(self, root: Path, model: SignDetector, *, reader: Path | None = None) -> None:
        dataset = box_sets.read(root)
        kept = Split.of(model.spec)
        train, val = box_sets.split(dataset.images, val_fraction=kept.val_fraction)
        self.data_set, self._dataset, self._find = dataset.name, dataset, model
        self._read = open_reader(reader, dataset, root) if reader else None
        self._images: list[BoxImage] = train + val
        self.items = tuple(
            Item(
                image.path,
                "train" if number < len(train) else "val",
                str(image.path),
                drive_of(image.path),
            )
            for number, image in enumerate(self._images)
        )
        self.judged_by = "the model" + (f", and {reader.name} for their classes" if reader else "")
        remark = warning(hindsight(model.spec, dataset.name, of_pictures(val)), MORE)
        self.remarks = (remark,) if remark else ()

    def answer(self, numbers: Sequence[int], frames: Sequence[Frame]) -> Sequence[Answer]:
        """The boxes, and those that the model finds."""
        return [self._answer(self._images[number], frame) for number, frame in zip(numbers, frames)]

    def _answer(self, image: BoxImage, frame: Frame) -> Answer:
        found = self._find(frame)
        rows = np.column_stack([found.xyxy, found.scores]).astype(np.float64)
        class_ids = np.zeros(len(rows), np.int64)
        count = 1
        if self._read:
            labels = [plain(label) for label in self._read.spec.labels]
            signs = self._read.classify_boxes(frame, found.xyxy) if len(rows) else ()
            class_ids = np.array([sign.class_id for sign in signs], np.int64)
            rows[:, 4] *= [sign.score for sign in signs]
            count = len(labels)
        split = [rows[class_ids == class_id] for class_id in range(count)]
        # cleanlab takes a picture with three classes for another form of answers.
        split += [np.empty((0, 5))] * (count == 3)
        return Answer(image.pixels((frame.shape[0], frame.shape[1])).astype(np.float64), tuple(split))

    def labels(self, number: int, answer: Answer) -> Sequence[str]:
        """Names of the classes of the boxes."""
        return [self._dataset.labels[class_id] for class_id in self._images[number].class_ids]

    def suspects(self, seen: Seen) -> Sequence[Suspect]:
        """Boxes that are missing or wrong (Tkachenko et al. 2023, by cleanlab), the worst first."""
        answers: Sequence[Answer] = seen.answers
        numbering = self._numbering()
        # cleanlab takes no similarity for less than the least that occurs; of the last picture, it is tiny.
        far: dict[str, Any] = {"bboxes": np.array([[0.0, 0.0, 1.0, 1.0]]), "labels": np.array([0])}
        given: dict[str, Any] = {
            "labels": [
                {
                    "bboxes": answer.wanted,
                    "labels": np.array([numbering[i] for i in self._images[number].class_ids], np.int64),
                }
                for number, answer in zip(seen.numbers, answers)
            ]
            + [far],
            "predictions": [*(answer.found for answer in answers), FAR_FOUND],
        }
        overlooked = compute_overlooked_box_scores(high_probability_threshold=SURE, **given)
        askew = compute_badloc_box_scores(low_probability_threshold=SURE, **given)
        swapped = compute_swap_box_scores(high_probability_threshold=SURE, **given)
        found: list[Suspect] = []
        for place, number in enumerate(seen.numbers):
            rows = np.concatenate(answers[place].found)
            wanted = answers[place].wanted
            # A box far from all others is as surely missing as the model is sure of it.
            missing = np.where(np.isnan(overlooked[place]), 1.0, 1.0 - rows[:, 4])
            found += self._of_kind(OVERLOOKED, number, missing, rows[:, :4], rows[:, 4])
            found += self._of_kind(ASKEW, number, askew[place], wanted)
            found += self._of_kind(SWAPPED, number, swapped[place], wanted)
        return sorted(found, key=lambda one: one.score)

    def _numbering(self) -> list[int]:
        """The class id of the reader for each of the data set's classes; without a reader, all are signs."""
        if not self._read:
            return [0] * len(self._dataset.labels)
        known = [plain(label) for label in self._read.spec.labels]
        return [known.index(label) if label in known else -1 for label in self._dataset.labels]

    def _of_kind(
        self,
        kind: str,
        number: int,
        scores: NDArray[np.float64],
        boxes: NDArray[np.float64],
        sure: Any = None,
    ) -> Iterator[Suspect]:
        for place in np.flatnonzero(scores < 1.0):
            x1, y1, x2, y2 = (float(value) for value in boxes[place])
            box: Box = (x1, y1, x2, y2)
            size = f"{x2 - x1:.0f}×{y2 - y1:.0f} px at ({x1:.0f}, {y1:.0f})"
            says = f"{kind}, {size}" + (f", found with {sure[place]:.2f}" if sure is not None else "")
            score = float(scores[place])
            yield Suspect(number, kind, score, score <= LIKELY[kind], says, box)

    def drawn(self, suspect: Suspect, frame: Frame) -> Frame:
        """The surroundings of the box."""
        assert suspect.box is not None, "all suspects have one"
        return surroundings(frame, suspect.box)

    def close(self) -> None:
        """Close the reader."""
        if self._read:
            self._read.close()
