"""What a model file says about itself, read without ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from perception import ModelNotFoundError, NotAModelError, SpecInvalidError, SpecMissingError, read_spec
from perception.engines.metadata import read_metadata
from perception.spec import METADATA_KEY
from tests.conftest import SEGMENTATION, SIGNS, write_model

MODELS = sorted((Path(__file__).resolve().parents[2] / "models").glob("*.onnx"))


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_it_is_what_the_onnx_package_reads(model: Path) -> None:
    assert read_metadata(model) == {entry.key: entry.value for entry in onnx.load(model).metadata_props}


def test_the_spec_needs_no_onnx_runtime(segmentation_model: Path) -> None:
    code = (
        "import sys, perception; spec = perception.read_spec(sys.argv[1]);"
        "assert not {'onnxruntime', 'onnx'} & {*sys.modules}; print(spec.task, *spec.labels)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, segmentation_model], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["segmentation", *SEGMENTATION.labels]


def test_entries_may_come_in_any_order_and_number(tmp_path: Path) -> None:
    many = {f"key {number}": "x" * number for number in range(200)} | {"": "", METADATA_KEY: SIGNS.to_json()}
    path = write_model(tmp_path / "model.onnx", SIGNS, metadata=many)
    assert read_metadata(path) == many
    assert read_spec(path) == SIGNS


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x08\x07\x12\x04abcd" * 40 + b"\x72\x70", bytes(99), bytes(100)]
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(NotAModelError, match=r"broken\.onnx: not an ONNX file"):
        read_spec(path)


def test_every_cut_of_a_file_is_refused_or_lacks_its_spec(tmp_path: Path, signs_model: Path) -> None:
    whole, path = signs_model.read_bytes(), tmp_path / "cut.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises((NotAModelError, SpecMissingError)):
            read_spec(path)


def test_metadata_that_is_no_text(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(signs_model.read_bytes().replace(b"colours", b"colo\xff\xffs"))
    with pytest.raises(SpecInvalidError, match=r"damaged\.onnx: its metadata is not UTF-8"):
        read_spec(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such file"):
        read_spec(tmp_path / "nowhere.onnx")


def varint(value: int) -> bytes:
    """An integer as protobuf writes it: seven bits a byte, the lowest first."""
    value &= (1 << 64) - 1  # negative numbers take ten bytes
    written = []
    while True:
        value, low = value >> 7, value & 0x7F
        written.append(low | (0x80 if value else 0))
        if not value:
            return bytes(written)


def test_fields_of_a_later_onnx_are_skipped(tmp_path: Path, signs_model: Path) -> None:
    fields = (
        varint(100 << 3 | 1) + b"\xff" * 8  # 64 bits
        + varint(101 << 3 | 5) + b"\xff" * 4  # 32 bits
        + varint(102 << 3 | 0) + varint(300)
        + varint(5 << 3 | 0) + varint(-1)  # model_version
        + varint(103 << 3 | 2) + varint(200) + b"\xff" * 200
    )  # fmt: skip
    path = tmp_path / "later.onnx"
    path.write_bytes(fields + signs_model.read_bytes())
    assert read_spec(path) == SIGNS


def test_a_number_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endless.onnx"
    path.write_bytes(varint(1 << 3) + b"\x80" * 10 + b"\x01")
    with pytest.raises(NotAModelError, match="more than ten bytes"):
        read_spec(path)


def test_an_entry_too_long_for_a_spec_is_not_read(tmp_path: Path) -> None:
    value = varint(2 << 3 | 2) + varint((64 << 20) + 1)
    path = tmp_path / "damaged.onnx"
    length = len(value) + (64 << 20) + 1
    path.write_bytes(varint(14 << 3 | 2) + varint(length) + value)
    with path.open("r+b") as file:
        file.truncate(file.seek(0, 2) + (64 << 20) + 1)
    with pytest.raises(NotAModelError, match="a metadata entry of 67108865 bytes"):
        read_spec(path)
