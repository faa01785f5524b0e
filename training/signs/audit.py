"""Audit crops of signs: labels that a model, or classifiers on its features, take for another class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from perception import SignClassifier
from perception.frames import Frame
from training.audit.auditing import Item, Seen, Suspect, hindsight, warning
from training.audit.folds import out_of_sample
from training.datasets.folders import FRAME
from training.datasets.images import DataError, SignImage
from training.datasets.text import plain
from training.signs import data as signs
from training.split import Split, of_tracks, split_by_track

FOLDS = 5
WRONG = "wrong class"
NOT_IT, SURE = 0.02, 0.9  # scores of the label and of another class that are enough by themselves
MORE = "--folds 5 judges them by classifiers that have not, though on this model's features."


class SignAudit:
    """A :class:`training.audit.auditing.Auditor` of signs.

    Args:
        root: the data set.
        model: whose answers count, or whose features classifiers learn from.
        folds: how many classifiers learn, each without a part of the signs; 0 takes the model's answers. None
            takes them if the model knows the classes and has not learnt from these labels, else five folds.

    Raises:
        DataError: the data set cannot be read, or the model's answers are wanted and it has other classes.
    """

    has_look = True

    def __init__(self, root: Path, model: SignClassifier, *, folds: int | None = None) -> None:
        dataset = signs.read(root)
        kept = Split.of(model.spec)
        train, val = split_by_track(dataset.images, val_fraction=kept.val_fraction, seed=kept.seed)
        self.data_set, self._labels = dataset.name, dataset.labels
        self._images: list[SignImage] = train + val
        self.items = tuple(
            Item(
                image.path,
                "train" if number < len(train) else "val",
                image.track,
                _sign(image),
                self._of(image),
            )
            for number, image in enumerate(self._images)
        )
        known = tuple(map(plain, model.spec.labels))
        strange = [label for label in dataset.labels if label not in known]
        learnt = hindsight(model.spec, dataset.name, of_tracks(val))
        if folds is not None and folds != 0 and folds < 2:
            raise DataError(f"--folds is {folds}; it must be 0, for the model's own answers, or 2 or more")
        if folds is None:
            folds = FOLDS if strange or learnt else 0
        if folds == 0 and strange:
            raise DataError(
                f"{root} has the class {strange[0]!r}, which the model does not know; leave out --folds 0, "
                "so that classifiers learn the classes on its features"
            )
        self._folds, self._model = folds, model
        self._columns = [] if folds else [known.index(label) for label in dataset.labels]
        self.judged_by = f"{folds} folds of classifiers on the model's features" if folds else "the model"
        remark = warning(learnt, "" if folds else MORE)
        self.remarks = (remark,) if remark else ()

    def _of(self, image: SignImage) -> str:
        return self._labels[image.class_id]

    def answer(self, numbers: Sequence[int], frames: Sequence[Frame]) -> Sequence[NDArray[np.float64]]:
        """The scores of the data set's classes; empty if folds judge."""
        if self._folds:
            return [np.empty(0)] * len(frames)
        return [sign.scores[self._columns].astype(np.float64) for sign in self._model.classify(list(frames))]

    def labels(self, number: int, answer: object) -> Sequence[str]:
        """The one class of a crop."""
        return (self._of(self._images[number]),)

    def suspects(self, seen: Seen) -> Sequence[Suspect]:
        """The labels, by how little they deserve the class (Northcutt et al. 2021, by cleanlab)."""
        given = np.array([self._images[number].class_id for number in seen.numbers])
        occurring, ids = np.unique(given, return_inverse=True)
        judged = np.ones(len(ids), np.bool_)
        if len(occurring) < 2:
            return ()
        if self._folds:
            groups = [self.items[number].group for number in seen.numbers]
            scores, judged = out_of_sample(seen.looks, ids, groups, folds=self._folds)
        else:
            scores = np.stack(seen.answers)[:, occurring] + np.finfo(np.float64).tiny
        if not judged.any():
            return ()
        scores = scores[judged] / scores[judged].sum(axis=1, keepdims=True)
        numbers, ids = np.array(seen.numbers)[judged], ids[judged]
        quality = get_label_quality_scores(ids, scores)
        # Confident learning counts errors before it names them, and in small data sets it counts none.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of small classes
            likely = find_label_issues(ids, scores, n_jobs=1)
        likely |= (quality < NOT_IT) & (scores.max(axis=1) > SURE)
        found = []
        for place in np.argsort(quality, kind="stable"):
            own, other = self._labels[occurring[ids[place]]], self._labels[occurring[scores[place].argmax()]]
            says = f"labelled {own}, looks like {other} ({scores[place].max():.2f})"
            if own == other:
                says = f"labelled {own}, and looks like it ({scores[place].max():.2f})"
            found.append(
                Suspect(int(numbers[place]), WRONG, float(quality[place]), bool(likely[place]), says)
            )
        return found

    def drawn(self, suspect: Suspect, frame: Frame) -> Frame:
        """The crop itself."""
        return frame

    def close(self) -> None:
        """Nothing was opened."""


def _sign(image: SignImage) -> str:
    """The physical sign, on whichever side of the split it is; empty if names say nothing of it."""
    return image.track.removeprefix("val/") if FRAME.fullmatch(image.path.name) else ""
