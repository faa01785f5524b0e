"""Engines: a model file opened on the fastest device that works, and what its outputs must be.

    open_engine ─► each device in turn ─► a backend opens ─► one inference on black ─► check ─► Engine

A backend is one file in this folder and one line in BACKENDS: a plain class as ``contract.Backend`` says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from perception.engines.checks import check_inputs, check_outputs
from perception.engines.contract import Backend, Engine
from perception.engines.gpus import nvidia_device
from perception.engines.metadata import read_metadata
from perception.engines.standby import StandbyEngine
from perception.engines.weights import check_weights
from perception.errors import (
    DeviceError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
    NotBuiltError,
)
from perception.paths import is_lfs_pointer, is_utf8, lfs_remedy
from perception.spec import ModelSpec
from perception.tasks import resolve

ACCELERATORS = ("tensorrt", "cuda")  # fastest first
DEVICES = ("auto", "cpu", "cuda", "tensorrt")
# If two know a device, the first is tried first.
BACKENDS = ("perception.engines.trt:TrtEngine", "perception.engines.ort:OrtEngine")
INSTALL = "install TensorRT for Python and cuda-bindings (docs/tensorrt.md), or onnxruntime-gpu"
WhileBuilding = Literal["wait", "cpu", "refuse"]

_log = logging.getLogger(__name__)


def open_engine(path: str | Path, *, device: str = "auto", while_building: WhileBuilding = "wait") -> Engine:
    """Open a model file on a device and run it once, so that the first frame is as fast as the others.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: one of DEVICES. ``"auto"`` takes the fastest that works; any other takes only that device.
        while_building: where an engine has to be built first, which can take minutes: ``"wait"`` for it;
            let the ``"cpu"`` answer until it is there (``StandbyEngine``); or ``"refuse"``.

    Raises:
        ModelError: the file is missing, broken or without a usable spec, or its outputs break the spec.
        DeviceError: the requested device does not work.
        NotBuiltError: an engine has to be built first, and that is refused.
    """
    path = Path(path)
    if device not in DEVICES:
        raise DeviceError(f"no device {device!r}; choose one of {', '.join(DEVICES)}")
    _require_file(path)
    # The CPU opens every model in milliseconds. So a bad file is refused before an accelerator starts, and an
    # error that only an accelerator reports is not the file's fault.
    reference = _opened(_backends("cpu")[0], path, "cpu")
    try:
        engine = _fastest(path, device, _candidates(device), while_building)
    except BaseException:
        reference.close()
        raise
    if engine is None:
        return reference
    reference.close()
    return engine


def read_spec(path: str | Path) -> ModelSpec:
    """What a model file says about itself, read without ONNX Runtime and without an inference.

    Raises:
        ModelError: the file is missing or not ONNX, or it has no usable spec.
    """
    path = Path(path)
    _require_file(path)
    return ModelSpec.from_metadata(read_metadata(path), where=str(path))


def _require_file(path: Path) -> None:
    if path.is_dir():
        models = sorted(path.glob("*.onnx"))
        such = f", such as {models[0]}" if models else ", and this folder has none"
        raise ModelNotFoundError(f"{path}: is a folder; give a model file (.onnx){such}")
    if not path.is_file():
        raise ModelNotFoundError(f"{path}: no such file")
    if path.suffix == ".safetensors":
        raise NotAModelError(
            f"{path}: are weights, which training starts from; give the model file (.onnx) that was exported "
            "with them"
        )
    if not is_utf8(path):
        raise NotAModelError(f"{str(path)!r}: the name is not UTF-8; rename it")
    try:
        is_pointer = is_lfs_pointer(path)
    except OSError as error:
        raise NotAModelError(f"{path}: cannot be read: {error.strerror}") from error
    if is_pointer:
        raise NotAModelError(f"{path}: {lfs_remedy()}")
    check_weights(path)


def accelerators() -> tuple[str, ...]:
    """The accelerators that may come up on this machine, fastest first."""
    return tuple(dict.fromkeys(name for name, _ in _candidates("auto")))


def _backends(device: str) -> list[Backend]:
    backends: list[Backend] = [resolve(reference) for reference in BACKENDS]
    return [backend for backend in backends if device in backend.devices()]


def _candidates(device: str) -> Iterator[tuple[str, Backend]]:
    """The accelerators that may work, fastest first; of one that is ordered, the first backend at least."""
    for name in ACCELERATORS if device == "auto" else (device,):
        for number, backend in enumerate(_backends(name) if name != "cpu" else []):
            if name in backend.present() or (device != "auto" and not number):
                yield name, backend


def _fastest(
    path: Path, device: str, candidates: Iterator[tuple[str, Backend]], while_building: WhileBuilding
) -> Engine | None:
    """The engine on the first accelerator that works; None means the CPU."""
    problems: list[DeviceError] = []
    for name, backend in candidates:
        try:
            return _opened(backend, path, name, may_build=while_building == "wait")
        except NotBuiltError as error:
            if while_building == "refuse":
                raise NotBuiltError(
                    f"{path}: {name} has yet to build an engine of it, and the CPU must not answer until "
                    f"then (strict_device); build it first: perception build {path}"
                ) from error
            return _standby(path, device, candidates, partial(_opened, backend, path, name))
        except DeviceError as error:
            problems.append(error)
            if device == "auto":
                _log.warning("%s; trying the next device", error)
    if problems and device != "auto":
        for problem in problems[1:]:
            _log.warning("%s", problem)
        raise DeviceError(f"{problems[0]}; or use device='auto'") from problems[0]
    if device == "auto" and not problems and (gpu := nvidia_device()):
        _log.warning("%s is there, but nothing that computes on it; %s", gpu, INSTALL)
    return None


def _standby(
    path: Path, device: str, candidates: Iterator[tuple[str, Backend]], opened: Callable[[], Engine]
) -> StandbyEngine:
    """The CPU, until the engine is built. If that fails, an order stays with the CPU and says so."""
    cpu = _opened(_backends("cpu")[0], path, "cpu")
    otherwise = partial(_fastest, path, device, candidates, "wait") if device == "auto" else None
    return StandbyEngine(path, cpu, opened=opened, otherwise=otherwise)


def _opened(backend: Backend, path: Path, device: str, *, may_build: bool = True) -> Engine:
    """Open a file with a backend, and check it by one inference on black."""
    engine = backend(path, device, may_build=may_build)
    try:
        check_inputs(engine.spec, engine.inputs, where=str(path))
        # Builds what is built lazily, and shows what the outputs really are.
        outputs = engine.infer(np.zeros((1, *engine.spec.padded(engine.spec.input_hw), 3), np.uint8))
        check_outputs(engine.spec, outputs, batch=1, where=str(path))
    except ModelError as error:
        engine.close()
        if device == "cpu":
            raise
        problem = str(error).partition(";")[0]
        raise DeviceError(
            f"{problem}; on the CPU it is right, so {device} misreads the model, as TensorRT 8 does"
        ) from error
    except BaseException:
        engine.close()
        raise
    return engine
