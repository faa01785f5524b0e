"""Metadata: whether a folder's metadata.yaml fits its files. The files are read in any case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from ruamel.yaml import YAML

from perception.recordings.storage.channel import StorageFile

NAME = "metadata.yaml"
_NEWEST = 9
_STORAGE = ("mcap", "sqlite3")


def misfit(folder: Path, found: Sequence[Path], opened: Sequence[StorageFile]) -> str:
    """Why metadata.yaml is passed over; empty if it fits the files, or is not there.

    Args:
        folder: the bag.
        found: its storage files.
        opened: those of them that can be read.
    """
    path = folder / NAME
    if not path.exists():
        return ""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        content = YAML(typ="safe").load(text)
        if content is None:
            return "it is empty"
        about = content["rosbag2_bagfile_information"]
        listed = [PurePath(name).name for name in about["relative_file_paths"] or ()]
        version, storage, count = about["version"], about["storage_identifier"], about["message_count"]
    except Exception as error:  # any text may be there
        problem = " ".join(str(error).split())[:80] or type(error).__name__
        return f"it cannot be read ({type(error).__name__}: {problem})"
    names = [file.name for file in found]
    reasons = []
    if unlisted := [name for name in names if name not in listed]:
        reasons.append(f"it does not list {', '.join(unlisted)}")
    if missing := [name for name in listed if not (folder / name).exists()]:
        reasons.append(f"it lists {', '.join(missing)}, which is not there")
    if not isinstance(version, int) or version > _NEWEST:
        reasons.append(f"its version is {version}, and {_NEWEST} is the newest known one")
    if storage not in _STORAGE:
        reasons.append(f"its storage is {storage!r}")
    is_whole = len(opened) == len(found) and not any(file.damage for file in opened)
    total = sum(channel.count for file in opened for channel in file.channels)
    if not reasons and is_whole and count != total:
        reasons.append(f"it counts {count} messages, and the files hold {total}")
    return "; ".join(reasons)
