"""What can be wrong with a data set, one thing that is, and what a task's check consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from pathlib import Path
from typing import Literal

from training.datasets.text import alike

SMALLEST_SIDE = 8  # px; nothing can be recognised on less
LARGEST_SIDE = 500  # px; no camera on a car sees a sign so large

Severity = Literal["error", "warning"]


class Kind(Enum):
    """What can be wrong: severity, what it is, what to do. An error makes results meaningless."""

    LAYOUT = ("error", "data set that cannot be read", "docs/training.md lists the layouts")
    EMPTY = ("error", "folders without pictures", "fill them or remove them")
    ONE_CLASS = ("error", "fewer than two classes", "there is nothing to distinguish; add a class")
    UNREADABLE = ("error", "unreadable pictures", "copy them again or take them out")
    TWO_CLASSES = ("error", "same picture in two classes", "one label is wrong; delete that copy")
    LEAK = (
        "error",
        "same picture in training and validation",
        "delete one; a net knows what it has learnt",
    )
    NO_SPLIT = ("error", "nothing to validate with", "add a second track or picture to the classes")
    COVERED = ("error", "street pictures that are full of signs", "take them out")
    NO_MASK = ("error", "pictures without label image", "add it or take the picture out")
    COLORS = ("error", "label images that are not one byte a pixel", "turn them into ids: docs/training.md")
    SIZE = ("error", "label images of another size than their picture", "export them again, unscaled")
    TURNED = (
        "error",
        "pictures that are turned when read (EXIF), while nothing says whether their label images are",
        "save the pictures without orientation: docs/training.md",
    )
    MISSING = ("error", "pictures that boxes are listed of and that are missing", "copy them, or list no box")
    NO_BOXES = ("error", "no boxes to learn from", "are the files of boxes where the form wants them?")
    BOX_SIZE = ("error", "pictures of another size than their boxes are for", "export both again, unscaled")
    TURNED_BOXES = (
        "error",
        "pictures that are turned when read (EXIF), while nothing says whether their boxes are",
        "save the pictures without orientation: docs/training.md",
    )
    OUTSIDE = ("error", "boxes beyond their picture", "correct them; pixels and shares are often confused")
    EMPTY_BOX = ("error", "boxes without area", "take them out, or order the corners: smaller numbers first")
    UNKNOWN_IDS = ("error", "label images with unknown ids", "name the class, or paint it as not counting")
    COPY = ("warning", "same picture twice on one side of the split", "delete the copies; they count double")
    ALIKE = ("warning", "nearly the same picture in training and validation", "keep one of them, if they are")
    TINY = ("warning", f"pictures smaller than {SMALLEST_SIDE} px", "take them out")
    WHOLE = ("warning", f"pictures larger than {LARGEST_SIDE} px", "whole photos? cut out the sign alone")
    NO_VALIDATION = ("warning", "classes that cannot be validated", "add a second track or picture")
    SMALL = ("warning", "small classes", "add pictures, or read their own figures, not the average")
    NAMES = (
        "warning",
        "names that differ by case, blanks or form only",
        "rename them, if they mean the same",
    )
    NO_SIGN = (
        "warning",
        "classes that may hold what is no sign",
        "then take such a folder out of the classes, and give its pictures as --data.background",
    )
    TINY_BOX = ("warning", "boxes too small to learn", "they count neither as signs nor as background")
    TWICE = ("warning", "same box twice in a picture", "delete one of them")
    ABSENT = ("warning", "classes that never occur", "a model cannot learn, or prove, what is not there")
    UNUSED = ("warning", "files that go unused", "pictures of other formats, or in one folder too deep?")
    NO_PICTURE = ("warning", "label images without picture", "they go unused; is the picture misnamed?")

    @property
    def severity(self) -> Severity:
        """Whether ``fit`` refuses it."""
        return self.value[0]

    @property
    def title(self) -> str:
        """The kind in words."""
        return self.value[1]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return self.value[2]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: which of the things that can be wrong.
        path: the file or folder to fix.
        message: what is wrong with this one.
    """

    kind: Kind
    path: Path
    message: str

    @property
    def severity(self) -> Severity:
        """``"error"`` if results would be meaningless, else ``"warning"``."""
        return self.kind.severity


@dataclass(frozen=True)
class Check:
    """How the data sets of a task are checked.

    Attributes:
        problems: (root, …) to everything that is wrong with a data set. Its other parameters are the options
            of the command line, and have defaults.
        claims: whether a folder has, or is meant to have, a layout of this task.
        content: what such a data set holds, in words.
        config: name of the config in ``training/configs/`` that learns from such data.
        takes_rest: a folder that no task claims belongs to this one.
        summary: what the check takes a data set for, in words, such as ``"2 classes (Stop, Yield), 20
            pictures"``; raises DataError where that cannot be read. None says nothing.
        otherwise: what other tasks can do with such data.
    """

    problems: Callable[..., list[Problem]]
    claims: Callable[[Path], bool]
    content: str
    config: str
    takes_rest: bool = False
    summary: Callable[[Path], str] | None = None
    otherwise: str = ""


def by_kind(problems: Iterable[Problem]) -> list[Problem]:
    """The problems in the order of their kinds, errors first."""
    order = list(Kind)
    return sorted(problems, key=lambda problem: order.index(problem.kind))


def of_names(names: Sequence[tuple[Path, str]]) -> Iterator[Problem]:
    """Names of classes, each with where it is written, that hardly differ, or that begin or end blank."""
    for path, name in names:
        if name != name.strip():
            yield Problem(Kind.NAMES, path, f"{name!r} begins or ends with a blank")
    for (_, one), (path, other) in combinations(names, 2):
        if alike(one) == alike(other):
            yield Problem(Kind.NAMES, path, f"{other!r} here, {one!r} as well")


def few(names: Sequence[str]) -> str:
    """The first names of classes, after their number."""
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)} {'class' if len(names) == 1 else 'classes'} ({shown})"


def counted(n: int, noun: str, plural: str = "") -> str:
    """A number and its noun, whose plural ends in s if nothing else is given."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or f'{noun}s'}"
