"""Pieces: what a long command has finished, in a file beside its results, so that ``--resume`` goes on there.

The first line of the file says what decides the results; each further line is a piece, such as the answers
about one picture. The file is removed as soon as the results are written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import onnxruntime
import torch

import perception
from perception.paths import writing
from training.datasets.images import DataError, is_hidden
from training.lossless import from_plain, to_plain

FILE = "pieces.jsonl"
DIGITS = 16  # of a SHA-256

Piece = TypeVar("Piece")


@dataclass
class Pieces:
    """The pieces of one run.

    Attributes:
        path: of their file; None keeps nothing.
        about: what decides the results, by its name for people.
        earlier: pieces of the run that is resumed, as the file has them.
        is_over: set it once the results are written; then nobody needs the pieces any more.
    """

    path: Path | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    earlier: dict[str, Any] = field(default_factory=dict)
    is_over: bool = False
    _is_begun: bool = False

    def once(self, name: str, make: Callable[[], Piece]) -> Piece:
        """A piece, as the earlier run has finished it; or made now, and kept.

        Args:
            name: of the piece, among those of this run.
            make: gives it, out of what ``training.lossless`` takes; never depends on other pieces.

        Raises:
            DataError: the file is damaged there.
            OSError: it cannot be kept.
        """
        if name in self.earlier:
            try:
                found: Piece = from_plain(self.earlier.pop(name))
            except ValueError as error:
                raise DataError(
                    f"{self.path}: the piece {name!r} is damaged ({error}); leave out --resume to begin anew"
                ) from error
            return found
        made = make()
        if self.path is not None:
            self._keep(self.path, name, made)
        return made

    def _keep(self, path: Path, name: str, piece: Any) -> None:
        line = json.dumps({"piece": name, "is": to_plain(piece)}) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path), path.open("a" if self._is_begun else "w", encoding="ascii") as file:
            if not self._is_begun:
                file.write(json.dumps({"about": dict(self.about)}) + "\n")
            file.write(line)
        self._is_begun = True

    def resume(self, path: Path) -> None:
        """Read the pieces of an interrupted run, and go on in its file.

        Raises:
            DataError: its results would be others.
        """
        was, self.earlier, length = _read(path)
        if not self.earlier:
            print(f"{path} has no finished piece; begins anew")
            return
        for name in sorted({*was, *self.about}):
            before, now = was.get(name, "(none)"), self.about.get(name, "(none)")
            if before != now:
                raise DataError(
                    f"{path} was begun with {name} {before}, and now it is {now}; give the same as then, or "
                    "leave out --resume to begin anew"
                )
        os.truncate(path, length)  # what a kill has torn
        self._is_begun = True
        print(f"{path}: goes on after {len(self.earlier)} finished pieces")


@contextmanager
def kept(out: Path, about: Mapping[str, str], *, resume: bool) -> Iterator[Pieces]:
    """Keep the pieces of a run until its results are written.

    Args:
        out: folder of the results.
        about: see :func:`decided_by`.
        resume: go on with the run that was interrupted in this folder, if there is one.

    Raises:
        DataError: that run would have other results.
    """
    path = out / FILE
    pieces = Pieces(path, about)
    if resume and path.exists():
        pieces.resume(path)
    elif resume:
        print(f"there is no {path} of an interrupted run; begins at the beginning")
    elif path.exists():
        print(f"begins anew, over {path} of an interrupted run; --resume goes on with that")
    try:
        yield pieces
    except KeyboardInterrupt:
        _say(path)
        raise
    if pieces.is_over:
        path.unlink(missing_ok=True)
    else:
        _say(path)


def _say(path: Path) -> None:
    if path.exists():
        print(f"{path} has what is finished; --resume goes on with it")


def _read(path: Path) -> tuple[dict[str, str], dict[str, Any], int]:
    """What decided the results, the pieces, and how many bytes of the file are whole lines."""
    about, pieces, length = {}, {}, 0
    with path.open("rb") as file:
        for line in file:
            try:
                content = json.loads(line)
                if not line.endswith(b"\n"):
                    break
                if length:
                    pieces[content["piece"]] = content["is"]
                else:
                    about = content["about"]
            except (ValueError, KeyError, TypeError):
                break
            length += len(line)
    return about, pieces, length


def decided_by(
    command: str, *, files: Iterable[Path], data: Iterable[Path], out: Path, **settings: object
) -> dict[str, str]:
    """What decides the results of a run, to be compared when it is resumed.

    Args:
        command: that makes them.
        files: models; their bytes count.
        data: pictures, or folders whose files count by name, size and time.
        out: folder of the results; files in it do not count.
        settings: options that results depend on.
    """
    models = (f"{path.name} ({_digest(path.read_bytes())})" for path in files)
    given = {name: "(not given)" if value is None else str(value) for name, value in settings.items()}
    versions = f"{perception.__version__} (torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}"
    return {
        "command": command,
        "version": f"{versions}, OpenCV {cv2.__version__})",
        "model": ", ".join(models),
        "data": ", ".join(f"{path} ({_digest(_listing(path, out).encode())})" for path in data),
        **{f"--{name.replace('_', '-')}": value for name, value in given.items()},
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _listing(root: Path, out: Path) -> str:
    """Names, sizes and times of a file, or of all files in a folder and in the folders that it links to."""
    paths, seen = [] if root.is_dir() else [root], {out.resolve()}
    for folder, names, own in os.walk(root, followlinks=True):
        place = Path(folder)
        if place.resolve() in seen or (place != root and is_hidden(place)):
            names.clear()
            continue
        seen.add(place.resolve())
        paths += [place / name for name in own if not is_hidden(Path(name))]
    stats = ((path, path.stat()) for path in sorted(paths) if path.exists())
    return "\n".join(f"{str(path)!a} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)
