"""What people give in place of a model file is named, with what to do."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from perception import ModelNotFoundError, NotAModelError, read_spec
from perception.engines import open_engine

MODEL = Path(__file__).resolve().parents[2] / "models" / "signs.onnx"


def test_a_folder_in_place_of_a_model(tmp_path: Path, signs_model: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelNotFoundError, match=r"empty: is a folder; .* has none"):
        open_engine(tmp_path / "empty")
    for opening in (open_engine, read_spec):
        with pytest.raises(ModelNotFoundError, match=rf"is a folder; .* such as .*{signs_model.name}"):
            opening(signs_model.parent)


def test_what_git_lfs_did_not_fetch(tmp_path: Path) -> None:
    pointer = tmp_path / "model.onnx"
    pointer.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 99\n")
    for opening in (open_engine, read_spec):
        with pytest.raises(NotAModelError, match=r"model\.onnx: is a pointer of Git LFS .* git lfs pull"):
            opening(pointer)


def test_weights_in_another_file_that_is_missing(tmp_path: Path) -> None:
    path, weights = tmp_path / "split.onnx", tmp_path / "split.data"
    proto = onnx.load(MODEL)
    onnx.save_model(proto, path, save_as_external_data=True, location=weights.name, size_threshold=1024)
    open_engine(path, device="cpu").close()
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(NotAModelError, match=r"split\.data, which is a pointer of Git LFS"):
        open_engine(path)
    weights.unlink()
    with pytest.raises(NotAModelError, match=r"split\.onnx: its weights are in .*split\.data, .* missing"):
        open_engine(path)
