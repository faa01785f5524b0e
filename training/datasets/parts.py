"""Parts of a data set that is split already: which folders learn, validate and test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.datasets.images import DataError, is_hidden

TRAIN = ("train", "training")
VAL = ("val", "valid", "validation")
TEST = ("test", "testing")
NAMES = {"train": TRAIN, "val": VAL, "test": TEST}


def part_of(name: str) -> str:
    """``"train"``, ``"val"`` or ``"test"`` for a folder's name, in capitals or not; else empty."""
    return next((part for part, names in NAMES.items() if name.lower() in names), "")


def part(root: Path, which: str, *, suffix: str = "") -> Path:
    """The folder of a part; ``root/train`` or ``root/val`` if there is none.

    Args:
        root: the data set.
        which: a key of NAMES.
        suffix: that the folder's name has after the part's.

    Raises:
        DataError: there are several, as ``val`` and ``valid``.
    """
    names = [name + suffix for name in NAMES[which]]
    found = [folder for folder in subfolders(root) if folder.name.lower() in names]
    if len(found) > 1:
        raise DataError(
            f"{root} has both {found[0].name}/ and {found[1].name}/, which mean the same; keep one of them"
        )
    return found[0] if found else root / names[0]


def subfolders(root: Path) -> list[Path]:
    """The folders in a folder that are no program's own, sorted by name."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_hidden(path))


def kept_out(root: Path) -> Sequence[Path]:
    """Folders of a split data set that nobody learns from: those to test with."""
    folders = subfolders(root)
    if not any(part_of(folder.name) == "train" for folder in folders):
        return []
    return [folder for folder in folders if part_of(folder.name.removesuffix("annot")) == "test"]
