"""Gallery: the pictures of a data set one by one, with what is true of each, for people to look at.

A task's gallery is in ``training/TASK/gallery.py`` and in the table of tasks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perception.frames import Frame


@dataclass(frozen=True)
class Shown:
    """One picture.

    Attributes:
        path: of the picture.
        part: ``"train"`` or ``"val"``, as ``fit`` splits the data set without options.
        class_ids: of the classes that are in it.
        truth: what :meth:`Gallery.draw` needs to draw what is true of it; JSON.
    """

    path: Path
    part: str
    class_ids: tuple[int, ...]
    truth: Mapping[str, Any] = field(default_factory=dict)


class Gallery(ABC):
    """The pictures of one data set.

    Args:
        root: the data set.

    Attributes:
        labels: class names; the index is the class id.
        common: what :meth:`draw` needs for every picture of the data set; JSON.

    Raises:
        DataError: the data set cannot be read.
    """

    labels: tuple[str, ...]
    common: Mapping[str, Any]

    @abstractmethod
    def __init__(self, root: Path) -> None: ...

    @abstractmethod
    def __len__(self) -> int:
        """How many pictures there are."""

    @abstractmethod
    def pictures(self) -> Iterator[Shown]:
        """All pictures, those that train first.

        Raises:
            DataError: a label image cannot be read.
        """

    @staticmethod
    @abstractmethod
    def draw(frame: Frame, truth: Mapping[str, Any], common: Mapping[str, Any], opacity: float) -> Frame:
        """A picture with what is true of it drawn over it.

        Args:
            frame: (H, W, 3) uint8 BGR, as the file has it.
            truth: of this picture.
            common: of the data set.
            opacity: 0 shows the picture alone, 1 the truth alone.

        Raises:
            DataError: a label image cannot be read.
        """
