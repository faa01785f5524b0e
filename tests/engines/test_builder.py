"""Engines by NVIDIA's own builder: TensorRT for RTX, which needs no GPU to build."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from perception import DeviceError
from perception.engines import builder, cache, read_spec, trt
from perception.engines.builder import Source
from perception.engines.cuda import Gpu

RTX_30, JETSON = Gpu("", (8, 6)), Gpu("", (8, 7))


@pytest.fixture(autouse=True)
def _tensorrt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this machine")
    monkeypatch.setattr(builder, "MODULES", ("tensorrt_rtx",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_engine_is_built_once_with_progress(signs_model: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    kept, is_new = trt.build(signs_model, gpu=RTX_30, on_step=lambda *step: steps.append(step))
    assert is_new and kept.parent == cache.folder() and kept.stat().st_size > 10_000
    assert steps and all(0 <= done <= of for _, done, of in steps)
    whole = [(done, of) for phase, done, of in steps if phase == steps[0][0]]
    assert whole[0][0] == 0 and whole[-1] == (whole[0][1], whole[0][1])
    assert trt.build(signs_model, gpu=RTX_30) == (kept, False)
    before = kept.stat().st_mtime_ns
    assert trt.build(signs_model, gpu=RTX_30, again=True) == (kept, True)
    assert kept.stat().st_mtime_ns > before


def test_a_changed_model_becomes_another_engine(signs_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "signs.onnx"
    path.write_bytes(signs_model.read_bytes())
    first, _ = trt.build(path, gpu=RTX_30)
    model = onnx.load(path)
    model.producer_name = "another training"
    onnx.save(model, path)
    second, is_new = trt.build(path, gpu=RTX_30)
    assert is_new and second != first and first.exists()


def test_weights_beside_the_model_count_as_the_model(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / "signs.onnx"
    onnx.save(onnx.load(signs_model), path, save_as_external_data=True, location="weights", size_threshold=0)
    tensorrt = builder.tensorrt()

    def key() -> str:
        return Source(path, path.read_bytes(), read_spec(path)).key(tensorrt, RTX_30).model

    before = key()
    weights = bytearray((tmp_path / "weights").read_bytes())
    weights[0] ^= 1
    (tmp_path / "weights").write_bytes(weights)
    assert key() != before
    assert trt.build(path, gpu=RTX_30)[1]


def test_an_operator_that_tensorrt_lacks_is_named(tmp_path: Path, signs_model: Path) -> None:
    path = tmp_path / "strange.onnx"
    model = onnx.load(signs_model)
    model.graph.node[0].op_type = "Unheard"
    onnx.save(model, path)
    with pytest.raises(DeviceError, match=r"strange\.onnx: TensorRT does not take the model: [^\n]*Unheard"):
        trt.build(path, gpu=RTX_30)
    assert not list(cache.folder().glob("*.engine"))


def test_a_gpu_that_it_does_not_know_is_named(signs_model: Path) -> None:
    with pytest.raises(DeviceError, match=r"signs\.onnx: .* compute capability 7\.5, .*, and not 8\.7"):
        trt.build(signs_model, gpu=JETSON)


def test_tensorrt_itself_builds_for_its_own_machine(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder.TensorRT, "is_rtx", False)
    with pytest.raises(DeviceError, match=r"signs\.onnx: .* builds for the GPU of this machine alone"):
        trt.build(signs_model, gpu=RTX_30)
