"""Pictures that a list leaves out of a data set, as ``audit`` writes it and people correct it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.datasets.images import BoxImage, DataError, MaskImage, SignImage
from training.datasets.text import read_text

REMARK = "#"

Image = TypeVar("Image", BoxImage, MaskImage, SignImage)


@dataclass(frozen=True)
class Excluded:
    """What a list leaves out.

    Attributes:
        paths: of the pictures, as the data set has them.
        file: the list; None leaves nothing out.
    """

    paths: frozenset[Path] = frozenset()
    file: Path | None = None

    @classmethod
    def read(cls, file: str | Path | None, root: Path, images: Iterable[Image]) -> Excluded:
        """Read a list: a path from the data set's root on each line; lines that begin with ``#`` are remarks.

        Args:
            file: the list; None is none.
            root: of the data set.
            images: all that are in it.

        Raises:
            DataError: the list cannot be read, or names what is not in the data set.
        """
        if file is None:
            return cls()
        file = Path(file)
        known = {image.path for image in images}
        paths = set()
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if not line.strip() or line.startswith(REMARK):
                continue
            path = next((path for path in (root / line, root / line.strip()) if path in known), None)
            if path is None:
                raise DataError(
                    f"{file}, line {number}: {line.strip()} is no picture of {root}; correct the line, take "
                    "it out, or write the list again with python -m training audit"
                )
            paths.add(path)
        return cls(frozenset(paths), file)

    def __len__(self) -> int:
        return len(self.paths)

    def rest(self, images: Sequence[Image]) -> list[Image]:
        """The images that are not left out.

        Raises:
            DataError: there were some, and none is left.
        """
        left = [image for image in images if image.path not in self.paths]
        if images and not left:
            raise DataError(
                f"{self.file} leaves out all of {len(images)} pictures of a part; take lines out of it"
            )
        return left
