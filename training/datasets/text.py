"""Text files of data sets, in whatever encoding editors and spreadsheets save them, and names in one form."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from perception.paths import is_lfs_pointer, lfs_remedy
from training.datasets.images import DataError

# The longest first, because UTF-32's mark begins as UTF-16's does.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DELIMITERS = ",;\t"  # the second is Excel's wherever a comma separates decimals


def plain(name: str) -> str:
    """A name in Unicode's composed form (NFC), so that the same word is the same name; a Mac decomposes."""
    return unicodedata.normalize("NFC", name)


def alike(name: str) -> str:
    """What names have in common that differ by case, blanks or Unicode's form only."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def folder_name(label: str) -> str:
    """A class's name as that of a folder inside another; a label of a stranger's model may be any text."""
    name = re.sub(r"[/\\\0]", "_", label)
    return f"_{name}" if name in ("", ".", "..") else name


def read_text(path: Path) -> str:
    """Read UTF-8 with or without a byte order mark, UTF-16 or UTF-32.

    Raises:
        DataError: it is none of these, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if is_lfs_pointer(path):
        raise DataError(f"{path} {lfs_remedy()}")
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:2]:  # no text begins with this character
        encoding = "utf-16-be" if data[0] == 0 else "utf-16-le"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not {encoding.upper()} (byte {error.start}); save it as UTF-8 and check its names"
        ) from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: as :func:`read_text`.
        ValueError: it is not JSON.
    """
    return json.loads(read_text(path))


def read_rows(path: Path) -> list[list[str]]:
    """Read a table; commas, semicolons or tabs separate its columns. Empty lines are left out.

    Raises:
        DataError: it cannot be read.
    """
    text = read_text(path)
    first = next(filter(None, text.splitlines()), "")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count)))
    except csv.Error as error:
        raise DataError(f"{path}: {error}; copy it again") from error
    return [row for row in rows if row]
