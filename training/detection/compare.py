"""How two models of boxes are compared: by which boxes they find in each frame, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from perception.detection import rescale
from perception.frames import Frame
from perception.spec import ModelSpec
from training.comparison import Apart, Comparison, Outputs, Parts, Quantization
from training.datasets import boxes as box_sets
from training.datasets.pictures import read_bgr
from training.detection.data import scaled
from training.detection.frames import padded
from training.detection.measure import Ranking, match
from training.detection.targets import Boxes
from training.split import Split, is_unseen, of_pictures

COUNTED = 0.3  # score from which on a box of either model counts
SAME = 0.7  # overlap of two boxes that are the same
BINS = 1000  # of scores, to add up what was found in all frames


def differences(ours: Outputs, theirs: Outputs) -> Apart:
    """For each box of a frame, whether both find it, and how far its scores are apart.

    A frame in which neither finds anything counts as one box that both find.
    """
    same, apart = [], []
    for one, other in ((ours, theirs), (theirs, ours)):
        counted = one["scores"] >= COUNTED
        which = match(one["boxes"][counted], other["boxes"], least=SAME)
        same.append(which >= 0)
        apart.append(np.abs(one["scores"][counted] - np.where(which < 0, 0, other["scores"][which])))
    all_same, all_apart = np.concatenate(same), np.concatenate(apart)
    return (all_same, all_apart) if len(all_same) else (np.ones(1, bool), np.zeros(1))


class Prepared(Sequence[Frame]):
    """Pictures as the car prepares them for the model, read when they are needed."""

    def __init__(self, spec: ModelSpec, paths: Sequence[Path]) -> None:
        self.spec = spec
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | Sequence[Frame]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return padded(rescale(read_bgr(self.paths[index]), self.spec.enlarge_to), self.spec.stride)


def read(spec: ModelSpec, root: Path) -> Parts:
    """The pictures of a model's data set, split as its spec says.

    Raises:
        DataError: the data set cannot be read.
    """
    dataset = box_sets.read(root)
    train, val = box_sets.split(dataset.images, val_fraction=Split.of(spec).val_fraction)
    wanted: list[Boxes] = []
    for image in val:
        picture = read_bgr(image.path)
        before, after = picture.shape[:2], rescale(picture, spec.enlarge_to).shape[:2]
        wanted.append(scaled(image.pixels(before), before, after))
    return Parts(
        [image.path for image in train],
        [image.path for image in val],
        wanted,
        is_unseen(spec.provenance, of_pictures(val)),
    )


def tally(wanted: Sequence[Boxes], outputs: Outputs, classes: int) -> NDArray[np.int64]:
    """Of one frame: hits by their scores, false alarms by theirs, and the number of signs."""
    bins = (outputs["scores"] * BINS).astype(int).clip(0, BINS - 1)
    is_hit = match(outputs["boxes"], wanted[0]) >= 0
    counts = [np.bincount(bins[chosen], minlength=BINS) for chosen in (is_hit, ~is_hit)]
    return np.concatenate([*counts, [len(wanted[0])]]).astype(np.int64)


def ap50(counts: NDArray[np.int64]) -> float:
    """The average precision of what was tallied; within a bin, hits come first."""
    bins = np.arange(BINS)
    scores = np.concatenate([np.repeat(bins, counts[:BINS]), np.repeat(bins, counts[BINS:-1])])
    is_hit = np.arange(len(scores)) < counts[:BINS].sum()
    order = np.argsort(-scores, kind="stable")
    return Ranking(scores[order] / BINS, is_hit[order], int(counts[-1]), 1).average_precision


COMPARISON = Comparison(samples=60, differences=differences, fitted=frozenset({"slope", "offset"}))
QUANTIZATION = Quantization(
    read=read,
    calibration=64,
    agreement=0.9,
    counted="boxes",
    batch=1,
    runs=40,
    metric="val_ap50",
    tally=tally,
    quality=ap50,
    load=Prepared,
)
