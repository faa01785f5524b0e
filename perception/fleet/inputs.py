"""Inputs: local paths, patterns and URLs of drives, which become named drives; a URL's drive is fetched."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from perception.errors import InputError, PerceptionError
from perception.fleet.job import Given
from perception.formats.kinds import VIDEO_SUFFIXES
from perception.paths import natural_order
from perception.recordings.storage import files

_URL = re.compile("[a-zA-Z][a-zA-Z0-9+.-]+://")
_PACKED = (".zstd", ".zst", ".active")
_SUFFIXES = (*files.SUFFIXES, *VIDEO_SUFFIXES)


def place(text: str) -> Path | str:
    """A path, or a URL as it is: a path has no two slashes in a row. For argparse."""
    return text if _URL.match(text) else Path(text)


def local(inputs: Sequence[Path | str]) -> list[Path]:
    """The inputs of a command without ``--ray``.

    Raises:
        InputError: one is a URL.
    """
    for given in inputs:
        if isinstance(given, str):
            raise InputError(
                f"{given}: a URL is read with --ray only; add it, or copy the drive to this machine"
            )
    return [Path(given) for given in inputs]


def drives(inputs: Sequence[Path | str]) -> list[Given]:
    """The drives that paths, patterns (``*``, ``?``, ``[…]``, ``**``) and URLs mean, each with a name.

    A name is that of the file or folder without suffix. Where two are the same, all get their folders' names
    in front.

    Raises:
        InputError: a pattern fits nothing, a path is missing, a drive is given twice, or two would share a
            folder.
    """
    places = [found for given in inputs for found in _expanded(given)]
    twice = [found for found, count in Counter(places).items() if count > 1]
    if twice:
        raise InputError(f"{twice[0]}: given {places.count(twice[0])} times; each drive can be done once")
    names = _names(places)
    for found, name in zip(places, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"{found}: another drive's results would be in {name}, too; rename one of both")
    return [
        Given(number, found, name) for number, (found, name) in enumerate(zip(places, names, strict=True))
    ]


def _expanded(given: Path | str) -> list[str]:
    if isinstance(given, str):
        return _at_url(given) if glob.has_magic(given.partition("?")[0]) else [given]
    if given.exists():
        return [str(given)]
    if not glob.has_magic(str(given)):
        raise InputError(f"{given}: no such file or folder")
    if found := sorted(glob.glob(str(given), recursive=True), key=natural_order):
        return found
    raise InputError(f"{given}: no file or folder fits this pattern")


def _at_url(pattern: str) -> list[str]:
    system, path = _file_system(pattern)
    with _named(pattern):
        found = sorted(map(str, system.glob(path)), key=natural_order)
    if not found:
        raise InputError(f"{pattern}: nothing there fits this pattern")
    return [str(system.unstrip_protocol(name)) for name in found]


def _names(places: Sequence[str]) -> list[str]:
    parts = [_parts(text) for text in places]
    plain = [[*folders, _stem(last)] for *folders, last in parts]
    for depth in range(1, max(map(len, plain), default=0) + 1):
        names = ["_".join(own[-depth:]) for own in plain]
        if len(set(names)) == len(names):
            return names
    return ["_".join(own) for own in parts]  # drive.mcap and drive.db3 in one folder


def _parts(text: str) -> list[str]:
    """The folders of a place and its last name; one at least."""
    if _URL.match(text):
        return [part for part in re.split("[/#]+", text.partition("?")[0]) if part]
    path = Path(text) if Path(text).name not in ("", "..") else Path(text).resolve()
    return [part for part in path.parts if part != path.anchor] or ["drive"]


def _stem(name: str) -> str:
    path = PurePosixPath(name)
    while path.suffix.lower() in _PACKED:
        path = path.with_suffix("")
    return path.stem if path.suffix.lower() in _SUFFIXES else path.name


@contextmanager
def fetched(drive: str) -> Iterator[Path]:
    """Where a drive can be read: a path itself, or a copy of what a URL means, in a temporary folder.

    Raises:
        InputError: there is nothing, or it cannot be read.
    """
    if not _URL.match(drive):
        yield Path(drive)
        return
    system, path = _file_system(drive)
    with TemporaryDirectory(prefix="perception-fleet-") as folder:
        name = PurePosixPath(path.partition("?")[0]).name
        copy = Path(folder) / name
        with _named(drive):
            # A web server has no folders, and to ask it would fetch the drive.
            is_folder = (
                not files.is_storage(copy) and copy.suffix.lower() not in _SUFFIXES and system.isdir(path)
            )
            if is_folder:
                system.get(f"{path.rstrip('/')}/", f"{copy}/", recursive=True)
            else:
                system.get_file(path, str(copy))
        yield copy


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise PerceptionError(f"{url}: fsspec reads URLs ({error}): install the extra fleet") from error
    with _named(url):
        system, path = url_to_fs(url)
    return system, str(path)


@contextmanager
def _named(url: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each kind of storage raises its own
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{url}: cannot be read: {reason}") from error
