"""What can be wrong with a data set, and one thing that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

SMALLEST_SIDE = 8  # px; nothing can be recognised on less
LARGEST_SIDE = 500  # px; no camera on a car sees a sign so large

Severity = Literal["error", "warning"]


class Kind(Enum):
    """What can be wrong: severity, what it is, what to do. An error makes results meaningless."""

    LAYOUT = ("error", "data set that cannot be read", "the layouts stand in docs/training.md")
    EMPTY = ("error", "folders without pictures", "fill them or remove them")
    ONE_CLASS = ("error", "fewer than two classes", "there is nothing to tell apart; add a class")
    UNREADABLE = ("error", "unreadable pictures", "copy them anew or take them out")
    TWO_CLASSES = ("error", "same picture in two classes", "one label is wrong; delete that copy")
    LEAK = ("error", "same picture in training and validation", "delete one; it would be tested as learnt")
    NO_SPLIT = ("error", "nothing to validate with", "add a second track or picture to the classes")
    COVERED = ("error", "street pictures that are full of signs", "take them out")
    NO_MASK = ("error", "pictures without label image", "add it or take the picture out")
    COLORS = ("error", "label images that are not one byte a pixel", "turn them into ids: docs/training.md")
    SIZE = ("error", "label images of another size than their picture", "export them again, unscaled")
    UNKNOWN_IDS = ("error", "label images with unknown ids", "name the class, or paint it as not counting")
    COPY = ("warning", "same picture twice on one side of the split", "delete the copies; they count double")
    ALIKE = ("warning", "nearly the same picture in training and validation", "keep one of them, if they are")
    TINY = ("warning", f"pictures smaller than {SMALLEST_SIDE} px", "take them out")
    WHOLE = ("warning", f"pictures larger than {LARGEST_SIDE} px", "whole photos? cut out the sign alone")
    NO_VALIDATION = ("warning", "classes that cannot be validated", "add a second track or picture")
    SMALL = ("warning", "small classes", "add pictures, or read their own figures, not the average")
    ABSENT = ("warning", "classes that never occur", "a model cannot learn, or prove, what is not there")
    UNUSED = ("warning", "files that go unused", "pictures of other formats, or in a folder too many?")
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
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: which of the things that can be wrong.
        path: the file or folder to mend.
        message: what is wrong with this one.
    """

    kind: Kind
    path: Path
    message: str

    @property
    def severity(self) -> Severity:
        """``"error"`` if results would be meaningless, else ``"warning"``."""
        return self.kind.severity


def by_kind(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order of their kinds, errors first."""
    order = list(Kind)
    return sorted(findings, key=lambda found: order.index(found.kind))


def counted(n: int, noun: str) -> str:
    """A number and its noun."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
