"""What a task adds to an audit: its pictures, what a model says of them, and labels that it contradicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.spec import ModelSpec

Box = tuple[float, float, float, float]
FAR = 3.0  # standard deviations from which on a quality is unusual


@dataclass(frozen=True)
class Item:
    """A picture of the data set.

    Attributes:
        path: of the picture.
        part: on which side of the split it is, as ``fit`` splits.
        group: pictures of one group show the same thing, as frames of one sign do, and are alike by nature.
        drive: pictures of one drive are on one side of a sound split; empty if nobody knows.
        label: what a caption says of it; may be empty.
    """

    path: Path
    part: Literal["train", "val"]
    group: str
    drive: str = ""
    label: str = ""


@dataclass(frozen=True)
class Suspect:
    """A label that a model contradicts.

    Attributes:
        number: of the item.
        kind: in words, what may be wrong.
        score: 0…1, how good the label seems; the worst is 0.
        is_likely: whether it is so bad that the picture is better left out until somebody has looked.
        says: what is there, and what the model says instead.
        box: x1, y1, x2, y2 px in the picture; None if it is all of it.
    """

    number: int
    kind: str
    score: float
    is_likely: bool
    says: str
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """What one pass over the pictures gave; all are in the same order.

    Attributes:
        numbers: of the items, ascending.
        answers: of the task's ``answer``, one for each.
        looks: (N, D) features; pictures that look alike are near each other.
        digests: of the pixels; the same pixels have the same.
    """

    numbers: tuple[int, ...]
    answers: tuple[Any, ...]
    looks: NDArray[np.float32]
    digests: tuple[bytes, ...]


class Auditor(Protocol):
    """A data set of a task with a model; entries of the column ``audit`` make one of (root, model, …).

    The further parameters of its ``__init__`` are the options of the command line, and have defaults.

    Attributes:
        data_set: its name.
        items: all pictures.
        remarks: what a reader must know, such as that the model has learnt from these labels.
        judged_by: what the labels are compared with, in words; empty if they are compared with nothing.
        has_look: the model takes whole pictures of one size, so its features describe one.
    """

    data_set: str
    items: tuple[Item, ...]
    remarks: tuple[str, ...]
    judged_by: str
    has_look: bool

    def answer(self, numbers: Sequence[int], frames: Sequence[Frame]) -> Sequence[Any]:
        """What there is to remember of some pictures and the model's results.

        It consists of what ``training.lossless`` takes.
        """
        ...

    def labels(self, number: int, answer: Any) -> Sequence[str]:
        """Names of the classes in a picture."""
        ...

    def suspects(self, seen: Seen) -> Sequence[Suspect]:
        """All labels that could be judged, the worst first."""
        ...

    def drawn(self, suspect: Suspect, frame: Frame) -> Frame:
        """A picture that shows what is suspected; several beside each other are one picture."""
        ...

    def close(self) -> None:
        """Close what it has opened itself, which is not the model."""
        ...


def hindsight(spec: ModelSpec, data_set: str, kept_aside: str) -> Literal["", "train", "all"]:
    """Which part of a data set a model has learnt from, labels included, as far as its file says.

    Args:
        spec: the model's.
        data_set: name of the data set.
        kept_aside: fingerprint of its validation part.
    """
    theirs = spec.provenance
    if theirs.data_set != data_set and theirs.kept_aside != kept_aside:
        return ""
    return "all" if theirs.learnt_val or theirs.kept_aside not in ("", kept_aside) else "train"


def warning(learnt: Literal["", "train", "all"], otherwise: str) -> str:
    """What to say of a model that has learnt from the labels that it shall judge; empty if it has not.

    Args:
        learnt: see :func:`hindsight`.
        otherwise: what finds more.
    """
    if not learnt:
        return ""
    whose = "these very labels" if learnt == "all" else "these very labels, but for those that validate"
    said = f"The model has learnt from {whose}: errors that it has learnt by heart stay hidden."
    return f"{said} {otherwise}".strip()


def drive_of(path: Path) -> str:
    """What the names of the frames of one drive have in common: all but the number at their end."""
    return path.stem.rstrip("0123456789")


def unusual(qualities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of (N,) qualities are far below the usual ones, by their logarithm; NaN never is.

    The scale is the median absolute deviation, which a few bad ones do not change.
    """
    numbers = np.log(np.maximum(qualities, np.finfo(np.float64).tiny))
    if np.isnan(numbers).all():
        return np.zeros(len(qualities), np.bool_)
    usual = np.nanmedian(numbers)
    spread = 1.4826 * np.nanmedian(np.abs(numbers - usual))
    return np.asarray(numbers < usual - FAR * max(spread, 1e-3))
