"""Small tubs of donkeycar for tests: each picture has one colour, each record a tenth of a second more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CAMERA = "cam/image_array"
START_MS = 1_700_000_000_123
INPUTS = [CAMERA, "user/angle", "user/throttle", "user/mode"]
TYPES = ["image_array", "float", "float", "str"]


def frame(index: int) -> np.ndarray:
    return np.full((24, 32, 3), 10 * index, np.uint8)


def record(index: int, **changed: Any) -> dict[str, Any]:
    """A record as donkeycar 4 writes it; a field that is changed to None is left out."""
    fields = {
        "_index": index,
        "_session_id": "23-11-14_0",
        "_timestamp_ms": START_MS + 100 * index,
        CAMERA: f"{index}_cam_image_array_.jpg",
        "user/angle": index / 10,
        "user/mode": "user",
        "user/throttle": 0.5,
    }
    return {key: value for key, value in (fields | changed).items() if value is not None}


def write_tub(
    path: Path, catalogs: Sequence[Sequence[dict[str, Any] | str]], *, deleted: Sequence[int] = ()
) -> Path:
    """Write a tub of version 2; a record that is a text is written as it is."""
    (path / "images").mkdir(parents=True)
    names = []
    for number, records in enumerate(catalogs):
        names.append(f"catalog_{number}.catalog")
        lines = [text if isinstance(text, str) else json.dumps(text, sort_keys=True) for text in records]
        (path / names[-1]).write_text("".join(f"{line}\n" for line in lines))
        (path / f"{names[-1]}_manifest").write_text("{}")
        for fields in records:
            if isinstance(fields, dict) and "_index" in fields:
                index = fields["_index"]
                cv2.imwrite(str(path / "images" / f"{index}_cam_image_array_.jpg"), frame(index))
    parts = [INPUTS, TYPES, {}, {"created_at": START_MS / 1000}]
    end = {"paths": names, "current_index": 9, "max_len": 1000, "deleted_indexes": list(deleted)}
    (path / "manifest.json").write_text("".join(json.dumps(part) + "\n" for part in [*parts, end]))
    return path


def write_old_tub(
    path: Path, indexes: Sequence[int], *, meta: dict[str, Any] | None = None, **changed: Any
) -> Path:
    """Write a tub of version 1, with milliseconds since its start."""
    path.mkdir()
    for index in indexes:
        name = f"{index}_cam-image_array_.jpg"
        fields = {CAMERA: name, "user/angle": index / 10, "user/throttle": 0.5, "user/mode": "user"}
        fields |= {"milliseconds": 1000 + 100 * index} | changed
        (path / f"record_{index}.json").write_text(
            json.dumps({key: value for key, value in fields.items() if value is not None})
        )
        cv2.imwrite(str(path / name), frame(index))
    if meta is not None:
        (path / "meta.json").write_text(json.dumps(meta))
    return path
