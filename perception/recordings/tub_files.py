"""The files of a tub: both versions of donkeycar's format as records, whatever is damaged in them.

Version 2 is manifest.json, catalogs with a record in each line, and images/. Version 1 has a record_N.json
beside each picture.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from perception.paths import natural_order

_log = logging.getLogger(__name__)
_MANIFEST, _META, _EXCLUDED = "manifest.json", "meta.json", "exclude.json"
_CATALOGS, _RECORDS = "catalog_*.catalog", "record_*.json"
_NOT_KEPT = ("_index", "_session_id")
_LOOKED_AT = 20  # files, to find out whether these are a tub's
SECONDS = range(2**31)  # of a stamp, as ROS 2 counts


@dataclass(frozen=True, slots=True)  # an hour has 72,000 of them
class Record:
    """One record, or what is wrong with it.

    Attributes:
        file: its file's name.
        line: in a catalog; 0 in a file of its own.
        index: its number, by which records are deleted.
        fields: what it holds; empty if it cannot be read.
        problem: why it cannot be read.
    """

    file: str
    line: int
    index: int
    fields: Mapping[str, Any]
    problem: str = ""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Tub:
    """What a tub's files say.

    Attributes:
        records: those that are not deleted, in the order of the drive.
        deleted: how many are.
        keys: the fields that name pictures; empty if the files do not say.
        images: the folder of the pictures.
        time_key: the field with the time in ms.
        start_ms: what the times count from, since the epoch; None if that is unknown.
    """

    records: Sequence[Record]
    deleted: int
    keys: Sequence[str]
    images: Path
    time_key: str
    start_ms: float | None


def is_tub(path: Path) -> bool:
    """Whether a folder is a tub of either version; others may have a manifest.json or such pictures, too."""
    if not path.is_dir():
        return False
    manifest = path / _MANIFEST
    if manifest.is_file() and (any(path.glob(_CATALOGS)) or _is_manifest(manifest)):
        return True
    return any(path.glob(_CATALOGS)) or any(map(_is_version_1, islice(path.glob(_RECORDS), _LOOKED_AT)))


def has_times(path: Path) -> bool:
    """Whether a tub's records say on which day they were taken."""
    return not any(path.glob(_RECORDS)) or _start_ms(_meta(path, _META, {}, log=False)) is not None


def read_tub(path: Path) -> Tub:
    """The records of a tub. Files that cannot be read are named in a warning."""
    if any(path.glob(_CATALOGS)) or (path / _MANIFEST).exists():
        return _version_2(path)
    return _version_1(path)


def number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 2**63 and math.isfinite(value) else None


def _version_2(path: Path) -> Tub:
    manifest = path / _MANIFEST
    present = sorted(path.glob(_CATALOGS), key=lambda file: natural_order(file.name))
    keys: list[str] = []
    deleted: frozenset[int] = frozenset()
    try:
        inputs, types, _, _, index = (json.loads(line) for line in manifest.read_bytes().splitlines()[:5])
        keys = [key for key, kind in zip(inputs, types) if kind == "image_array" and isinstance(key, str)]
        catalogs = [path / Path(name).name for name in index["paths"]]
        deleted = frozenset(index["deleted_indexes"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        _log.warning(
            "%s: %s; all catalogs of the folder are read, and deleted records are among them",
            manifest,
            error.strerror if isinstance(error, OSError) else "damaged",
        )
        catalogs = present
    if others := [file.name for file in present if file not in catalogs]:
        _log.warning("%s: not read, because %s does not list them: %s", path, _MANIFEST, ", ".join(others))
    records: list[Record] = []
    for catalog in catalogs:
        begin = records[-1].index + 1 if records else 0
        try:
            records += _catalog(catalog, begin)
        except OSError as error:
            _log.warning("%s: cannot be read: %s; the other catalogs are", catalog, error.strerror)
    kept = [record for record in records if record.index not in deleted]
    return Tub(kept, len(records) - len(kept), keys, path / "images", "_timestamp_ms", 0.0)


def _catalog(path: Path, index: int) -> list[Record]:
    """The records of one catalog; the first has this index, unless it says another."""
    records, name = [], path.name
    with path.open("rb") as file:
        for count, line in enumerate(file, 1):
            if not line.strip():
                continue
            fields, problem = _parsed(line)
            own = fields.get("_index")
            index = own if isinstance(own, int) else index
            fields = {key: value for key, value in fields.items() if key not in _NOT_KEPT}
            records.append(Record(name, count, index, fields, problem))
            index += 1
    return records


def _version_1(path: Path) -> Tub:
    records = []
    for file in sorted(path.glob(_RECORDS), key=lambda file: natural_order(file.name)):
        try:
            fields, problem = _parsed(file.read_bytes())
        except OSError as error:
            fields, problem = {}, f"cannot be read: {error.strerror}"
        own = file.stem.partition("_")[2]
        records.append(Record(file.name, 0, int(own) if own.isdecimal() else -1, fields, problem))
    kinds, excluded = _meta(path, _META, {}), _meta(path, _EXCLUDED, [])
    deleted = excluded if isinstance(excluded, list) else []
    kept = [record for record in records if record.index not in deleted]
    try:
        keys = [key for key, kind in zip(kinds["inputs"], kinds["types"]) if kind.startswith("image")]
    except (KeyError, TypeError, AttributeError):
        keys = []
    return Tub(kept, len(records) - len(kept), keys, path, "milliseconds", _start_ms(kinds))


def _start_ms(kinds: Any) -> float | None:
    """When a tub of version 1 was begun, ms since the epoch; None if its meta.json does not say."""
    start_s = number(kinds.get("start")) if isinstance(kinds, dict) else None
    return None if start_s is None or int(start_s) not in SECONDS else start_s * 1000.0


def _meta(path: Path, name: str, otherwise: Any, *, log: bool = True) -> Any:
    """A file that version 1 may have beside its records."""
    try:
        return json.loads((path / name).read_bytes())
    except FileNotFoundError:
        return otherwise
    except (OSError, ValueError, RecursionError):
        if log:
            _log.warning("%s: damaged, and not used", path / name)
        return otherwise


def _parsed(data: bytes) -> tuple[Mapping[str, Any], str]:
    """A record's fields, or what is wrong with it."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return {}, "the record is no JSON; it may be cut off"
    if not isinstance(fields, dict) or not fields:
        return {}, "the record is no JSON object with fields"
    return fields, ""


def _is_manifest(path: Path) -> bool:
    """Whether a manifest.json begins as a tub's: a list of inputs, and a list of their types."""
    try:
        inputs, types = (json.loads(line) for line in path.read_bytes().splitlines()[:2])
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(inputs, list) and isinstance(types, list)


def _is_version_1(path: Path) -> bool:
    """Whether a record_N.json is a tub's, whose fields are such as user/angle."""
    try:
        return any("/" in key for key in _parsed(path.read_bytes())[0])
    except OSError:
        return False
