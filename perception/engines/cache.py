"""Cache: engines that TensorRT built for this machine, kept between two starts.

    ~/.cache/perception/engines/segnet-3f0c….engine      one line of JSON, then TensorRT's bytes

An engine is code that runs in this process, so only files are taken that this user wrote and that are whole.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perception.paths import replacing

FORMAT = 1  # of the file; goes into the key
KEPT = 16  # engines; those unused for longest are removed
_UNFINISHED_S = 24 * 3600.0  # what an interrupted write left is removed after this

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """All that an engine depends on.

    Attributes:
        model: SHA-256 of the model's bytes.
        tensorrt: name and version of the module that built it.
        gpu: name of the GPU; empty if it runs on every GPU of the compute capability.
        capability: compute capability, such as "8.7".
        settings: what else the builder was given, as text.
    """

    model: str
    tensorrt: str
    gpu: str
    capability: str
    settings: str

    def path(self, stem: str) -> Path:
        """Where its engine is kept.

        Args:
            stem: of the model's file, so that people find it.
        """
        text = json.dumps([FORMAT, asdict(self)], sort_keys=True)
        return folder() / f"{stem}-{hashlib.sha256(text.encode()).hexdigest()[:24]}.engine"


def folder() -> Path:
    """Where engines are kept; another cache folder than ~/.cache comes from XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perception" / "engines"


def load(path: Path, key: Key) -> bytes | None:
    """The engine that was kept, or None if there is none.

    A file that may not be taken is named in a warning and removed, so that it is built again: another user
    owns it or may write to it, or it is damaged, or made for something else.
    """
    if not path.parent.is_dir():
        return None
    try:
        _own(path.parent)
        with open(path, "rb", opener=_without_links) as file:
            status = os.fstat(file.fileno())
            content = file.read()
        engine = _checked(status, content, key)
        os.utime(path)
    except FileNotFoundError:
        return None
    except ValueError as problem:
        _log.warning("%s: %s; it is removed and built again", path, problem)
        with suppress(OSError):
            path.unlink()
        return None
    except OSError as error:
        _log.warning("%s: cannot be used: %s; the engine is built again", path, error.strerror)
        return None
    return engine


def keep(path: Path, key: Key, engine: bytes) -> None:
    """Keep an engine: as a whole or not at all, and for this user alone.

    Raises:
        OSError: it cannot be written, or the folder is another user's.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _own(path.parent)
    header = {"sha256": hashlib.sha256(engine).hexdigest(), "key": asdict(key)}
    with replacing(path) as unfinished, open(unfinished, "wb", opener=_private) as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.write(engine)
        file.flush()
        os.fsync(file.fileno())  # or a power cut leaves the name without the content
    _prune(path.parent)


@contextmanager
def building_alone() -> Iterator[None]:
    """Within it, no other process of this user builds; waits for one that does.

    TensorRT takes what was fastest when it tried, so another build at that time would lead it astray.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # whether the engine can be kept shows later
            folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            file = stack.enter_context(open(folder() / ".building", "wb", opener=_private))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _checked(status: os.stat_result, content: bytes, key: Key) -> bytes:
    """The engine in a file's content; ValueError says why it may not be taken."""
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("is no file")
    if status.st_uid != os.geteuid():
        raise ValueError(f"belongs to another user ({status.st_uid}), and an engine is code")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError("other users may write to it, and an engine is code")
    line, _, engine = content.partition(b"\n")
    try:
        header: Any = json.loads(line)
        sha256, made_for = header["sha256"], header["key"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("is damaged: it does not begin as an engine does") from error
    if hashlib.sha256(engine).hexdigest() != sha256:
        raise ValueError("is damaged: its content is not what its SHA-256 says")
    if made_for != asdict(key):
        raise ValueError("is of another model, GPU or TensorRT than its name says")
    return engine


def _own(folder: Path) -> None:
    """Refuse a folder of another user's, and close one's own to all others.

    Raises:
        OSError: it is another user's.
    """
    status = folder.stat()
    if status.st_uid != os.geteuid():
        advice = "belongs to another user; remove it, or set XDG_CACHE_HOME to a folder of your own"
        raise PermissionError(errno.EACCES, advice, str(folder))
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def _prune(folder: Path) -> None:
    """Remove the engines that were not used for longest, and what interrupted writes left."""
    with suppress(OSError):  # another process may prune at the same time
        by_age = sorted(folder.glob("*.engine"), key=lambda file: file.stat().st_mtime, reverse=True)
        late = [file for file in folder.glob(".*.unfinished-*") if _age_s(file) > _UNFINISHED_S]
        for file in [*by_age[KEPT:], *late]:
            file.unlink(missing_ok=True)


def _age_s(file: Path) -> float:
    return time.time() - file.stat().st_mtime


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a named pipe would wait for a writer


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
