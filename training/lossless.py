"""Lossless: results as JSON that gives back the very same results, unlike the rounded one for people."""

from __future__ import annotations

import base64
import sys
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

FAST = 1  # level of compression; maps of evidence are mostly flat


@singledispatch
def to_plain(value: Any) -> Any:
    """What ``json.dumps`` takes, for numbers, texts, arrays, paths, dataclasses and collections of them.

    Raises:
        TypeError: it is something else.
    """
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} cannot be kept as JSON")
    own = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    return {"dataclass": own, "module": type(value).__module__, "name": type(value).__qualname__}


@to_plain.register(str)
@to_plain.register(int)
@to_plain.register(float)
@to_plain.register(type(None))
def _itself(value: Any) -> Any:
    return value


@to_plain.register
def _of_list(value: list) -> Any:  # type: ignore[type-arg]
    return [to_plain(one) for one in value]


@to_plain.register
def _of_tuple(value: tuple) -> Any:  # type: ignore[type-arg]
    return {"tuple": [to_plain(one) for one in value]}


@to_plain.register
def _of_mapping(value: Mapping) -> Any:  # type: ignore[type-arg]
    return {"dict": [[to_plain(key), to_plain(one)] for key, one in value.items()]}


@to_plain.register
def _of_path(value: Path) -> Any:
    return {"path": str(value)}


@to_plain.register
def _of_bytes(value: bytes) -> Any:
    return {"bytes": base64.b64encode(value).decode("ascii")}


@to_plain.register(np.ndarray)
@to_plain.register(np.generic)
def _of_array(value: Any) -> Any:
    data = base64.b64encode(zlib.compress(value.tobytes(), FAST)).decode("ascii")
    return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}


def from_plain(plain: Any) -> Any:
    """What :func:`to_plain` was given.

    Only dataclasses of modules that are imported already are made, so a file can run no code.

    Raises:
        ValueError: it gave something else, or a dataclass has changed since.
    """
    if isinstance(plain, list):
        return [from_plain(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    try:
        return _OF_KIND[next(iter(plain))](plain)
    except (AttributeError, KeyError, StopIteration, TypeError, zlib.error) as error:
        raise ValueError(f"nothing that was kept: {error!r}") from error


def _array(plain: Mapping[str, Any]) -> Any:
    data = zlib.decompress(base64.b64decode(plain["array"]))
    return np.frombuffer(data, np.dtype(plain["dtype"])).reshape(plain["shape"]).copy()[()]


def _dataclass(plain: Mapping[str, Any]) -> Any:
    made = getattr(sys.modules[plain["module"]], plain["name"])
    if not is_dataclass(made):
        raise TypeError(f"{plain['name']} is no dataclass")
    return made(**{name: from_plain(one) for name, one in plain["dataclass"].items()})  # type: ignore[operator]


_OF_KIND = {
    "tuple": lambda plain: tuple(map(from_plain, plain["tuple"])),
    "dict": lambda plain: {from_plain(key): from_plain(one) for key, one in plain["dict"]},
    "path": lambda plain: Path(plain["path"]),
    "bytes": lambda plain: base64.b64decode(plain["bytes"]),
    "array": _array,
    "dataclass": _dataclass,
}
