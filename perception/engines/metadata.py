"""The metadata of an ONNX file, read without ONNX Runtime and without its graph.

An ONNX file is one protobuf message (onnx.proto3, ``ModelProto``): a row of fields, each with its length, so
the weights are skipped and never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from perception.errors import NotAModelError, SpecInvalidError

_METADATA_PROPS = 14  # field of ModelProto: entries of key = 1, value = 2
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types of protobuf
_MAX_ENTRY = 1 << 26  # bytes; a longer entry is a damaged file


def read_metadata(path: Path) -> dict[str, str]:
    """The ``metadata_props`` of a model file.

    Raises:
        NotAModelError: the file is not protobuf, or it is cut short.
        SpecInvalidError: an entry is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if not size:
                raise EOFError("it is empty")
            entries = [
                entry(file, file.tell() + length) for _, length in headers(file, size, _METADATA_PROPS)
            ]
    except (EOFError, ValueError) as error:
        raise NotAModelError(
            f"{path}: not an ONNX file, or a damaged one ({error}); copy it again"
        ) from error
    try:
        return {key.decode(): value.decode() for key, value in entries}
    except UnicodeDecodeError as error:
        raise SpecInvalidError(
            f"{path}: its metadata is not UTF-8 ({error}); export the model again"
        ) from error


def headers(file: BinaryIO, end: int, *wanted: int) -> Iterator[tuple[int, int]]:
    """Number and length of each wanted field; the caller may read its content, all others are skipped.

    Raises:
        EOFError: the message is cut short.
        ValueError: it is not protobuf.
    """
    while (start := file.tell()) < end:
        number, wire_type = divmod(_varint(file), 8)
        if number == 0:
            raise ValueError(f"no field begins at byte {start}")
        if wire_type == _VARINT:
            _varint(file)
            continue
        if wire_type not in (_LENGTH, _FIXED64, _FIXED32):
            raise ValueError(f"unknown wire type {wire_type} at byte {start}")
        length = _varint(file) if wire_type == _LENGTH else {_FIXED64: 8, _FIXED32: 4}[wire_type]
        content_end = file.tell() + length
        if content_end > end:
            raise EOFError(f"it ends within the field at byte {start}")
        if number in wanted and wire_type == _LENGTH:
            yield number, length
        file.seek(content_end)


def entry(file: BinaryIO, end: int) -> tuple[bytes, bytes]:
    """Key and value of the StringStringEntryProto that ends at a byte."""
    found = dict(_fields(file, end, keep=(_KEY, _VALUE)))
    return found.get(_KEY, b""), found.get(_VALUE, b"")


def _fields(file: BinaryIO, end: int, *, keep: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Number and content of the fields of a message that ends at a byte."""
    for wanted in keep:
        start = file.tell()
        for number, length in headers(file, end, wanted):
            if length > _MAX_ENTRY:
                raise ValueError(f"a metadata entry of {length} bytes")
            yield number, file.read(length)
        file.seek(start)


def _varint(file: BinaryIO) -> int:
    """An integer of protobuf: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number of more than ten bytes")
