"""Files: which ones a recording has, and each opened by its first bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import zstandard

from perception.errors import InputError
from perception.paths import natural_order
from perception.recordings.storage import mcap, ros1, sqlite
from perception.recordings.storage.channel import StorageFile

SUFFIXES = (".mcap", ".db3", ".bag")
_PACKED = (".zstd", ".zst")  # rosbag2 writes the first, the zstd command the second
_ENDINGS = (*SUFFIXES, ".bag.active", *(suffix + packed for suffix in SUFFIXES for packed in _PACKED))
_ZSTD = b"\x28\xb5\x2f\xfd"
_LFS = b"version https://git-lfs"
_FORMATS: dict[bytes, Callable[[Path, Path], StorageFile]] = {
    mcap.MAGIC: mcap.McapFile,
    sqlite.MAGIC: sqlite.SqliteFile,
    ros1.MAGIC: ros1.open_ros1,
}
_BLOCK = 2**20


def is_storage(path: Path) -> bool:
    """Whether a path is a storage file by its name."""
    return path.name.lower().endswith(_ENDINGS) and not path.name.startswith(".")


def discover(folder: Path) -> list[Path]:
    """A folder's storage files in natural order, without those that are there unpacked as well."""
    files = sorted(filter(is_storage, folder.iterdir()), key=natural_order)
    names = {file.name for file in files}
    return [
        file
        for file in files
        # a link that leads nowhere is found as well, because what it stands for is missing
        if (file.is_file() or file.is_symlink())
        and not file.is_dir()
        and not (file.suffix.lower() in _PACKED and file.stem in names)
    ]


def nothing_in(folder: Path) -> str:
    """What is wrong with a folder without storage files, and what to do."""
    below = [path.name for path in folder.iterdir() if path.is_dir() and discover(path)]
    if below:
        listed = ", ".join(sorted(below, key=natural_order))
        return f"{folder}: no bag, but a folder of bags; give one of them: {listed}"
    kinds = ", ".join(SUFFIXES)
    return f"{folder}: no storage file ({kinds}) in it; copy them from where the bag was recorded"


def open_storage(path: Path, stack: ExitStack, *, name: Path | None = None) -> StorageFile:
    """Open one file.

    Args:
        path: the file.
        stack: closes it, and removes what it was unpacked to.
        name: the file's name for people, where it differs.

    Raises:
        InputError: nothing in it can be read.
    """
    name = name or path
    try:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(_ZSTD):
            return _open_packed(path, stack, name)
        for magic, kind in _FORMATS.items():
            if head.startswith(magic):
                storage = kind(path, name)
                stack.callback(storage.close)
                return storage
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    except InputError:
        raise
    except Exception as error:  # broken bytes make the parsers raise nearly anything
        problem = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{name}: cannot be read as a bag: {problem}") from error
    raise InputError(f"{name}: cannot be read as a bag: {_what_else(head)}")


def _what_else(head: bytes) -> str:
    """What a file is that is no bag, and what to do."""
    if not head:
        return "the file is empty; was the recording stopped before the first message?"
    if not any(head):
        return "it begins with zeros, as files do after a power cut; copy it again if you can"
    if head.startswith(_LFS):
        return "it is its Git LFS pointer only; 'git lfs pull' downloads the bag itself"
    if any(magic.startswith(head) for magic in (*_FORMATS, _ZSTD)):
        return "it was cut short within its first bytes; copy it again"
    return "it begins as neither an MCAP, an SQLite (.db3) nor a ROS 1 file does; copy it again if you can"


def _open_packed(path: Path, stack: ExitStack, name: Path) -> StorageFile:
    """Open a file that rosbag2 compressed as a whole; what is before a cut, if there is one."""
    folder = stack.enter_context(TemporaryDirectory(prefix="perception-bag-"))
    target = Path(folder, "bag")
    try:
        with path.open("rb") as source, target.open("wb") as sink:
            is_whole = _unpack(source, sink)
    except OSError as error:
        where = f"{folder}: {error.strerror or error}; a folder with more room is taken from TMPDIR"
        raise InputError(f"{name}: cannot be unpacked to {where}") from error
    try:
        return open_storage(target, stack, name=name)
    except InputError as error:
        if is_whole:
            raise
        problem = "cut short or damaged, and too little of it can be unpacked (zstd); copy it again"
        raise InputError(f"{name}: {problem}") from error


def _unpack(source: BinaryIO, sink: BinaryIO) -> bool:
    """Whether all of it could be unpacked."""
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    try:
        while block := source.read(_BLOCK):
            while block:
                if unpacker.eof:  # a file may have several parts
                    unpacker = zstandard.ZstdDecompressor().decompressobj()
                sink.write(unpacker.decompress(block))
                block = unpacker.unused_data
    except zstandard.ZstdError:
        return False
    return bool(unpacker.eof)
