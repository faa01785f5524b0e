"""Weights: the files beside a model's own that hold its weights, and where they may be.

A tensor of an ONNX file may name a file that has its values. In a model that came from elsewhere, this could
be any file of this machine.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from perception.engines.metadata import entry, headers
from perception.errors import NotAModelError, WeightsOutsideError
from perception.paths import is_lfs_pointer, lfs_remedy

# Where tensors are in onnx.proto3: message → field → the message in it. These are all ways to external_data.
WAYS: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}


def external_names(content: bytes) -> list[str]:
    """The files that hold a model's weights outside its own, as the model names them.

    Args:
        content: the whole model file.

    Raises:
        EOFError: it is cut short.
        ValueError: it is not protobuf.
    """
    return _names(io.BytesIO(content), len(content))


def check_weights(path: Path) -> None:
    """Refuse a model whose weights are outside its folder, or missing there.

    Raises:
        WeightsOutsideError: it takes weights from elsewhere.
        NotAModelError: it is not an ONNX file, or a file with its weights is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            names = _names(file, path.stat().st_size)
    except (EOFError, ValueError) as error:
        raise NotAModelError(
            f"{path}: not an ONNX file, or a damaged one ({error}); copy it again"
        ) from error
    for name in names:
        try:
            _check(path, path.parent / name)
        except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a circle
            raise NotAModelError(
                f"{path}: its weights are in {name[:80]!r}, which cannot be read ({error}); export it again"
            ) from error


def _check(path: Path, weights: Path) -> None:
    """Refuse one file of a model's weights; what the system says of an impossible name goes through."""
    folders = {path.parent.resolve(), path.resolve().parent}  # the model file may be a link
    if not any(weights.resolve().is_relative_to(folder) for folder in folders):
        raise WeightsOutsideError(
            f"{path}: it takes weights from {weights.resolve()}, which is outside its folder, so it may "
            "read any file; export it again with the weights inside"
        )
    if not weights.is_file():
        raise NotAModelError(
            f"{path}: its weights are in {weights}, which is missing; copy that file beside the model"
        )
    if is_lfs_pointer(weights):
        raise NotAModelError(f"{path}: its weights are in {weights}, which {lfs_remedy()}")


def _names(file: BinaryIO, size: int) -> list[str]:
    names: set[str] = set()
    waiting = [("ModelProto", 0, size)]  # and no recursion, because a file may be nested at will
    while waiting:
        message, start, end = waiting.pop()
        file.seek(start)
        ways = WAYS[message]
        for number, length in headers(file, end, *ways):
            content_end = file.tell() + length
            if ways[number] in WAYS:
                waiting.append((ways[number], file.tell(), content_end))
                continue
            key, value = entry(file, content_end)
            if key == b"location":
                names.add(value.decode(errors="surrogateescape"))
    return sorted(names)
