"""What is missing on a machine that has no GPU, as NVIDIA's own packages say it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import perception
from perception import DeviceError
from perception.engines import builder, cuda
from perception.engines.gpus import nvidia_device

pytestmark = pytest.mark.skipif(nvidia_device() is not None, reason="there is an NVIDIA GPU")


def test_no_gpu_is_said_in_cudas_own_words(signs_model: Path) -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings has no wheel for this machine")
    with pytest.raises(DeviceError, match=r"no GPU: cudaGetDeviceCount: CUDA driver .*; install NVIDIA"):
        cuda.CudaPython()


def test_all_that_is_missing_is_said_at_once(signs_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MODULES", ("no_tensorrt",))
    monkeypatch.setattr(cuda, "MODULES", ("no_cuda", "no_older_cuda"))
    with pytest.raises(DeviceError) as raised:
        perception.load(signs_model, device="tensorrt")
    assert str(raised.value) == (
        f"{signs_model}: tensorrt did not come up (TensorRT's Python module is missing: No module named "
        "'no_tensorrt', and Python's CUDA is missing: No module named 'no_cuda'); "
        f"{builder.INSTALL}; {cuda.INSTALL}; or use device='auto'"
    )


def test_a_tensorrt_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this machine")
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setattr(trt, "__version__", "8.6.1")
    with pytest.raises(DeviceError, match=r"TensorRT is 8\.6\.1; install 10\.3 \(JetPack 6\.1\) or later"):
        builder.tensorrt()


def test_auto_is_quiet_and_imports_nothing_of_nvidias(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(builder, "tensorrt", lambda: pytest.fail("TensorRT is imported"))
    monkeypatch.setattr("perception.engines.trt.CudaPython", lambda: pytest.fail("CUDA is imported"))
    assert perception.load(signs_model).device == "cpu"
    assert not caplog.text
