"""Corrupted crops: which of them a sign classifier reads right, and which of those it takes for known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from perception import SignClassifier
from perception.frames import Frame
from perception.report.page import Report
from training.corrupt.corruptions import SEVERITIES
from training.corrupt.trial import CLEAN, Condition, Scene, Trial
from training.datasets.images import SignImage
from training.datasets.pictures import read_bgr
from training.evaluate.evaluation import BATCH
from training.signs.evaluate import read_crops, remarks_on_assumed
from training.signs.numbers import numbers_mistaken
from training.signs.report import add_numbers
from training.split import remarks

LOOKED_AT = 500  # crops, for the one that corruptions are shown on


@dataclass(frozen=True)
class Read:
    """The model's answer about one crop: class ids, and whether ``known`` reaches the threshold."""

    wanted: int
    given: int
    is_known: bool


class SignTrial(Trial):
    """The trial of a sign classifier.

    Args:
        classify: the model.
        data: root of the data set.
        split: ``val`` or ``all``.

    Raises:
        DataError: the data set cannot be read, has other classes, or nothing to validate with.
    """

    is_crop: ClassVar[bool] = True
    at_once: ClassVar[int] = BATCH

    def __init__(self, classify: SignClassifier, data: Path, *, split: str) -> None:
        self.classify = classify
        crops = read_crops(classify.spec, data, split)
        self.labels = crops.dataset.labels
        self.items: Sequence[SignImage] = crops.images
        own = remarks(classify.spec.provenance, crops.dataset.name, split, kept_aside=crops.kept_aside)
        self.remarks = (*own, *remarks_on_assumed(crops.kept))
        self.measures: Mapping[str, Callable[[Sequence[Read]], float]] = {
            "accuracy": accuracy,
            "known": known,
        }

    def read(self, item: SignImage) -> Scene:
        return Scene(read_bgr(item.path), item.class_id, item.path.name)

    def ask(self, scenes: Sequence[Scene]) -> list[Read]:
        signs = self.classify.classify([scene.frame for scene in scenes])
        return [Read(scene.truth, sign.class_id, sign.is_known) for scene, sign in zip(scenes, signs)]

    def drawn(self, scene: Scene) -> Frame:
        return scene.frame  # the name of a sign would cover a crop

    def example(self, items: Sequence[SignImage]) -> SignImage:
        """A crop near 64 px, rich in contrast and neither dark nor bright: all corruptions show on it."""

        def fault(item: SignImage) -> float:
            frame = read_bgr(item.path)
            side = float(min(frame.shape[:2]))
            return abs(side - 64) + abs(float(frame.mean()) - 128) - float(frame.std())

        return min(items[:: max(1, len(items) // LOOKED_AT)], key=fault)

    def details(self, answers: Mapping[Condition, Sequence[Read]]) -> dict[str, Any]:
        """Numbers read as others, clean and by corruption, all severities together."""
        kinds = dict.fromkeys(name for name, _ in answers)
        numbers = {}
        for name in kinds:
            severities = (CLEAN[1],) if name == CLEAN[0] else SEVERITIES
            own = [one for severity in severities for one in answers[name, severity]]
            wanted, given = (np.array(ids) for ids in zip(*((one.wanted, one.given) for one in own)))
            numbers[name] = numbers_mistaken(wanted, given, self.labels)
        return {"numbers": numbers} if numbers[CLEAN[0]] else {}

    def add_sections(self, report: Report, details: Mapping[str, Any]) -> None:
        if "numbers" in details:
            add_numbers(report, details["numbers"])


def accuracy(answers: Sequence[Read]) -> float:
    """Share of the crops that are read right."""
    return sum(one.given == one.wanted for one in answers) / len(answers)


def known(answers: Sequence[Read]) -> float:
    """Share of the crops read right that are taken for known; NaN where none is read right."""
    right = [one.is_known for one in answers if one.given == one.wanted]
    return sum(right) / len(right) if right else float("nan")
