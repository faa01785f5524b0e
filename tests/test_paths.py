"""Names come in the order in which people count; files that cannot be written or are missing are named."""

import errno
import os
import random
from pathlib import Path

import pytest

from perception.errors import InputError
from perception.paths import is_lfs_pointer, model_file, natural_order, writing


def test_numbers_in_names_count() -> None:
    ordered = [
        "2.jpg",
        "10.jpg",
        "a",
        "a2b3",
        "a2b10",
        "a10b1",
        "frame1.jpg",
        "frame2.jpg",
        "frame10.jpg",
        "ä1",
    ]
    for seed in range(20):
        names = random.Random(seed).sample(ordered, len(ordered))
        assert sorted(names, key=natural_order) == ordered


def test_every_name_has_one_position() -> None:
    names = ["7", "07", "007", "x7", "x07", "²", "x²", ""]
    assert len({natural_order(name) for name in names}) == len(names)


def test_a_write_that_fails_names_its_file(tmp_path: Path) -> None:
    """A full disk's error has no name of its own."""
    with pytest.raises(OSError, match=r"report\.html") as failed, writing(tmp_path / "report.html"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert failed.value.errno == errno.ENOSPC and "cannot be written: No space left" in str(failed.value)
    with pytest.raises(FileNotFoundError, match="nowhere"), writing(tmp_path / "report.html"):
        (tmp_path / "nowhere").read_bytes()  # has its own


def test_a_pointer_of_git_lfs_is_known(tmp_path: Path) -> None:
    (tmp_path / "pointer").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / "file").write_text("version 2")
    assert is_lfs_pointer(tmp_path / "pointer") and not is_lfs_pointer(tmp_path / "file")


def test_a_model_is_a_file_a_folder_or_a_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = model_file("", "segnet.onnx")
    assert (usual.name, usual.is_file()) == ("segnet.onnx", True)
    assert model_file("segnet.int8", "signs.onnx") == usual.with_name("segnet.int8.onnx")
    assert model_file(tmp_path, "signs.onnx") == tmp_path / "signs.onnx"
    assert model_file("mine.onnx", "segnet.onnx") == Path("mine.onnx")
    assert model_file("models/mine", "segnet.onnx") == Path("models/mine")
    with pytest.raises(
        InputError, match=r"segnett: no such file, and none of the .*\(segnet, segnet\.int8, "
    ):
        model_file("segnett", "segnet.onnx")
    (tmp_path / "segnet").write_bytes(b"")
    assert model_file("segnet", "segnet.onnx") == Path("segnet")
