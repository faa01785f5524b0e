"""Paths: where the package's own files are, and which names OpenCV and ONNX Runtime can open."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perception.errors import InputError

_LFS = b"version https://git-lfs"


def shared(name: str) -> Path:
    """Find a file or folder that comes with the package: beside the code, or under share/ once installed.

    Args:
        name: its path inside the repository, such as ``"models/signs.onnx"`` or ``"demo/street"``.

    Raises:
        InputError: it is in none of the folders that the message lists.
    """
    # pip puts data beside itself, under ~/.local for one user, or under /usr/local on Debian.
    own = [sys.prefix, sysconfig.get_path("data"), site.getuserbase()]
    prefixes = [*dict.fromkeys(own), *filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))]
    folders = [
        Path(__file__).resolve().parents[1],
        *(Path(prefix, "share/perception") for prefix in prefixes),
    ]
    roots = list(dict.fromkeys(folders))
    for root in roots:
        if (root / name).exists():
            return root / name
    raise InputError(f"{name} is not in {', '.join(map(str, roots))}; give a file of your own")


def model_file(given: str | Path, usual: str) -> Path:
    """The model file that a parameter or an option means.

    Args:
        given: the file, a folder that has it under its usual name, or the bare name of a shipped model, such
            as ``"track"``; empty: the shipped one of the usual name.
        usual: the name, such as ``"segnet.onnx"``.

    Raises:
        InputError: there is no such shipped one; the message lists those that there are.
    """
    path = Path(given).expanduser()
    if not str(given):
        return shared(f"models/{usual}")
    if path.is_dir():
        return path / usual
    is_name = path.name == str(given) and path.suffix != ".onnx" and not path.exists()
    if not is_name:
        return path
    shipped = {file.stem: file for file in shared("models").glob("*.onnx")}
    if str(given) not in shipped:
        names = ", ".join(sorted(shipped))
        raise InputError(f"{given}: no such file, and none of the shipped models ({names})")
    return shipped[str(given)]


def is_utf8(path: str | Path) -> bool:
    """Whether a path is UTF-8. ONNX Runtime cannot open any other, and OpenCV ends the process over it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def natural_order(name: str | Path) -> tuple[tuple[int, int, str], ...]:
    """A sort key that counts: frame2 comes before frame10.

    Args:
        name: a name, or a path, of which every part counts.
    """
    parts = filter(None, re.split(r"([0-9]+)", str(name)))
    # Equal numbers, such as 7 and 007, are distinguished by their digits.
    return tuple((0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts)


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in place of a large file that it did not fetch.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


def lfs_remedy() -> str:
    """What to say after the name of such a file."""
    return "is a pointer of Git LFS and not the file itself; fetch that with: git lfs pull"


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Within it, an error of writing has the name of what is written; a full disk's own has none.

    Raises:
        OSError: as it came, with ``path`` as its filename if it had none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise unwritten(error, path) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file as a whole or not at all: what it gives is written, and becomes ``path`` at the end.

    Raises:
        OSError: with the name of ``path``, which stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished-{os.getpid()}")
    try:
        with writing(path):
            yield unfinished
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def unwritten(error: OSError, path: str | Path) -> OSError:
    """The same error with the name of what could not be written."""
    return OSError(error.errno, f"cannot be written: {error.strerror}", str(path))
