"""Which of two files of a model is opened."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from perception import InputError, ModelError
from perception.engines import precision
from perception.engines.precision import choose, fast_bytes
from tests.conftest import SEGMENTATION, write_model

X86 = "processor : 0\nflags : fpu sse4_2 avx2 avx512_vnni\n"
PI_5 = "processor : 0\nFeatures : fp asimd evtstrm aes asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
OLD = "processor : 0\nflags : fpu sse4_2 avx2\nmodel name : avx512_vnni, not\n"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with an INT8 version, on a processor with VNNI and without an accelerator."""
    model = write_model(tmp_path / "segnet.onnx", SEGMENTATION)
    made_from = f"segnet.onnx, sha256 {hashlib.sha256(model.read_bytes()).hexdigest()}"
    write_model(tmp_path / "segnet.int8.onnx", replace(SEGMENTATION, source={"int8_of": made_from}))
    on(X86, tmp_path, monkeypatch)
    monkeypatch.setattr(precision, "accelerators", lambda: ())
    return model


def on(cpuinfo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "cpuinfo")


@pytest.mark.parametrize(("cpuinfo", "name"), [(X86, "avx512_vnni"), (PI_5, "asimddp"), (OLD, "")])
def test_processors_that_multiply_bytes_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpuinfo: str, name: str
) -> None:
    on(cpuinfo, tmp_path, monkeypatch)
    assert fast_bytes() == name


def test_auto_takes_int8_on_such_a_processor_only(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose(model, "auto", "auto")
    assert chosen.path.name == "segnet.int8.onnx" and "avx512_vnni" in chosen.reason
    assert choose(model, "auto", "cpu") == chosen
    assert choose(model, "auto", "cuda").path == model
    assert choose(model, "fp32", "cpu").path == model
    monkeypatch.setattr(precision, "accelerators", lambda: ("cuda",))
    assert choose(model, "auto", "auto").path == model
    assert choose(model, "int8", "auto").path == chosen.path


@pytest.mark.parametrize(("int8_ms", "name"), [(5.0, "segnet.int8.onnx"), (20.0, "segnet.onnx")])
def test_of_another_processor_both_files_are_timed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, int8_ms: float, name: str
) -> None:
    on(OLD, tmp_path, monkeypatch)
    assert choose(model, "auto", "cpu").reason.startswith("measured now: INT8 takes ")
    monkeypatch.setattr(precision, "_ms", lambda path: 10.0 if path == model else int8_ms)
    chosen = choose(model, "auto", "cpu")
    assert chosen.path.name == name
    assert chosen.reason == f"measured now: INT8 takes {int8_ms / 10:.2f} of the time"


def test_an_int8_file_of_another_model_is_not_taken(model: Path) -> None:
    """Somebody trained again, and the old INT8 file is still there."""
    write_model(model, replace(SEGMENTATION, trained_on="more colours"))
    chosen = choose(model, "auto", "cpu")
    assert chosen.path == model
    assert chosen.reason == "segnet.int8.onnx was not made from this segnet.onnx"
    with pytest.raises(InputError, match=r"was not made from this segnet.onnx; make it with .* quantize"):
        choose(model, "int8", "cpu")


def test_without_an_int8_file(model: Path) -> None:
    shutil.copy(model, model.with_name("other.onnx"))
    other = model.with_name("other.onnx")
    assert choose(other, "auto", "cpu").path == other
    with pytest.raises(InputError, match=r"there is no other.int8.onnx beside other.onnx; make it"):
        choose(other, "int8", "cpu")
    assert choose(model.with_name("none.onnx"), "auto", "cpu").path.name == "none.onnx"


def test_an_int8_file_that_is_named_is_taken(model: Path) -> None:
    rounded = model.with_name("segnet.int8.onnx")
    for name in ("auto", "int8"):
        assert choose(rounded, name, "cpu").path == rounded
    with pytest.raises(InputError, match="is INT8, but precision is fp32"):
        choose(rounded, "fp32", "cpu")


def test_a_broken_int8_file_is_reported(model: Path) -> None:
    model.with_name("segnet.int8.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"segnet\.int8\.onnx"):
        choose(model, "auto", "cpu")
