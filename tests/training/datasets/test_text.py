"""Text files are read in the encodings of editors and spreadsheets, or refused by name."""

from __future__ import annotations

import codecs
import json
import unicodedata
from pathlib import Path

import pytest

from training.datasets.images import DataError
from training.datasets.text import alike, plain, read_json, read_rows, read_text

TEXT = "Straße;1\r\nÜberweg;2\r\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"),
    ],
)
def test_encodings(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(data)
    assert read_text(tmp_path / "table.csv") == TEXT
    assert read_rows(tmp_path / "table.csv") == [["Straße", "1"], ["Überweg", "2"]]


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_bytes('["Straße"]'.encode("latin-1"))
    with pytest.raises(DataError, match=r"classes\.json is not UTF-8 \(byte 6\); save it as UTF-8"):
        read_json(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="git lfs pull"):
        read_json(path)
    path.unlink()
    with pytest.raises(DataError, match=r"classes\.json cannot be read: No such file"):
        read_json(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"\nClassId{delimiter}Path\n\n14{delimiter}a b.png\n")
    assert read_rows(path) == [["ClassId", "Path"], ["14", "a b.png"]]
    path.write_text("")
    assert read_rows(path) == []


def test_json_of_every_editor(tmp_path: Path) -> None:
    path = tmp_path / "flips.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(json.dumps({"Ü": "Ü"}, ensure_ascii=False), encoding)
        assert read_json(path) == {"Ü": "Ü"}


def test_names_in_one_form() -> None:
    assert plain(unicodedata.normalize("NFD", "Überweg")) == "Überweg"
    assert alike(" Keep\N{NO-BREAK SPACE}Right ") == alike("keep  right")
    assert alike("Stop") != alike("Stopp")
