"""Folders of pictures: which files of a folder are pictures, in which order, and what is passed over."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from perception.errors import InputError
from perception.formats import kinds
from perception.formats.animations import holds_several
from perception.paths import natural_order
from perception.pictures import SUFFIXES

_MAY_HOLD_SEVERAL = (".png", ".tif", ".tiff", ".webp", ".gif")
_HEAD = 64 * 1024  # bytes; within them a PNG says whether it is an animation
_OWN = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin")
_EXAMPLES = 3

# What a folder of a data set may hold beside its pictures without being worth a word.
NOTES = (kinds.TEXT, kinds.FOLDER)


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Attributes:
        pictures: in natural order; some may turn out to be damaged, or not what their names say.
        several: those of the pictures that hold several; the first is read.
        passed_over: what a file is → files that are no pictures to read. Hidden ones are in neither.
    """

    pictures: tuple[Path, ...]
    several: tuple[Path, ...]
    passed_over: Mapping[str, tuple[Path, ...]]


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is some program's own, a thumbnail or the like."""
    return path.name.startswith(".") or path.name.lower() in _OWN


def list_pictures(folder: Path) -> Listing:
    """Find the pictures directly in a folder.

    A file is taken by its suffix, of whatever case, and if it has none, by its data.

    Raises:
        InputError: the folder cannot be listed.
    """
    try:
        paths = sorted(folder.iterdir(), key=lambda path: natural_order(path.name))
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from error
    pictures, several = [], []
    passed_over: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if is_hidden(path):
            continue
        kind = _passed_over(path)
        if kind is not None:
            passed_over[kind].append(path)
            continue
        pictures.append(path)
        if path.suffix.lower() in (*_MAY_HOLD_SEVERAL, "") and is_animated(path):
            several.append(path)
    return Listing(
        tuple(pictures), tuple(several), {kind: tuple(found) for kind, found in passed_over.items()}
    )


def is_animated(path: Path) -> bool:
    """Whether a picture file holds several pictures; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD)
            if data.startswith(b"GIF8") or kinds.picture(data) == "TIFF":  # no other lists them at its start
                data += file.read()
    except OSError:
        return False
    return holds_several(data)


def kind_of(path: Path) -> str | None:
    """What a file is, by suffix and data, as ``formats.kinds.foreign`` says; None for a picture."""
    suffix = path.suffix.lower()
    try:
        mode = path.stat().st_mode
    except OSError:  # a broken link is a broken picture
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        return kinds.FOLDER
    if not stat.S_ISREG(mode):  # reading a pipe would wait for ever
        return "pipe or device"
    if suffix in SUFFIXES:
        return kinds.VIDEO if suffix == ".gif" and is_animated(path) else None
    if suffix in kinds.VIDEO_SUFFIXES:
        return kinds.VIDEO
    try:
        with path.open("rb") as file:
            head = file.read(kinds.HEAD)
    except OSError as error:
        return f"file that cannot be opened ({error.strerror})"
    return kinds.foreign(head) if kinds.picture(head) is None else None


def _passed_over(path: Path) -> str | None:
    """What a file is that is not to be read as a picture of its folder; None if it is."""
    kind = kind_of(path)
    if path.suffix.lower() in SUFFIXES:
        return None if kind == kinds.VIDEO else kind
    # A program's copy of a picture (a.jpg_original, a.jpg.bak) would count twice.
    return "picture with an unusual suffix" if kind is None and path.suffix else kind


def describe(folder: Path, listing: Listing, *, without: Sequence[str] = ()) -> list[str]:
    """What a reader passes over in a folder, as one sentence for each matter; none if nothing.

    Args:
        folder: where.
        listing: what is there.
        without: kinds that are not worth a word.
    """
    texts = []
    found = {kind: paths for kind, paths in listing.passed_over.items() if kind not in without}
    if found:
        total = sum(map(len, found.values()))
        noun = "entry is" if total == 1 else "entries are"
        listed = "; ".join(_group(kind, paths) for kind, paths in found.items())
        texts.append(f"{folder}: {total} {noun} passed over: {listed}")
    if listing.several:
        texts.append(
            f"{folder}: {_named(listing.several)}: of several pictures in one file, the first is read"
        )
    return texts


def _group(kind: str, paths: Sequence[Path]) -> str:
    advice = kinds.advice(kind)
    return f"{len(paths)} × {kind} ({_named(paths)})" + (f": {advice}" if advice else "")


def _named(paths: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in paths[:_EXAMPLES])
    return names + (f" and {len(paths) - _EXAMPLES} more" if len(paths) > _EXAMPLES else "")
