"""Engines: a model file opened on the fastest device that works, and what its outputs must be.

    open_engine ─► each device in turn ─► a backend opens ─► one inference on black ─► check ─► Engine

A backend is one file in this folder and one line in BACKENDS: a plain class that opens, infers and closes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.engines.checks import check_inputs, check_outputs
from perception.engines.metadata import read_metadata
from perception.errors import (
    DeviceError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
)
from perception.paths import is_lfs_pointer, is_utf8, lfs_remedy
from perception.spec import ModelSpec
from perception.tasks import resolve

ACCELERATORS = ("tensorrt", "cuda")  # fastest first
DEVICES = ("auto", "cpu", "cuda", "tensorrt")
BACKENDS = ("perception.engines.ort:OrtEngine",)  # if two know a device, the first is tried first

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """One opened model on one device."""

    @property
    def spec(self) -> ModelSpec:
        """What the model file says about itself."""

    @property
    def device(self) -> str:
        """Where it really runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``; never ``"auto"``."""

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """Run the model. Safe to call from several threads.

        Args:
            frames: (N, H, W, 3) uint8 BGR, C-contiguous, H and W as ``spec.padded`` gives them.

        Returns:
            The outputs of the task by name, as ``tasks.TASKS`` has them. The arrays belong to the caller.

        Raises:
            DeviceError: the device failed, for example for lack of memory, or the engine is closed.
        """

    def close(self) -> None:
        """Free the device's memory."""


class Backend(Protocol):
    """What opens engines: the class of a backend."""

    def __call__(self, path: Path, device: str) -> BackendEngine:
        """Open a model file on a device.

        Raises:
            ModelError: the file cannot be read, or has no usable spec.
            DeviceError: the device does not come up; the message ends with the remedy.
        """

    def devices(self) -> tuple[str, ...]:
        """All devices that it knows."""

    def present(self) -> tuple[str, ...]:
        """Those that may come up on this machine."""


class BackendEngine(Engine, Protocol):
    """An engine as its backend opens it."""

    @property
    def inputs(self) -> Sequence[tuple[str, str, Sequence[int | str | None]]]:
        """(name, type as ONNX Runtime writes it, shape) of each input; a free axis is not a number."""


def open_engine(path: str | Path, *, device: str = "auto") -> Engine:
    """Open a model file on a device and run it once, so that the first frame is as fast as the others.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: one of DEVICES. ``"auto"`` takes the fastest that works; any other takes only that device.

    Raises:
        ModelError: the file is missing, broken or without a usable spec, or its outputs break the spec.
        DeviceError: the requested device does not work.
    """
    path = Path(path)
    if device not in DEVICES:
        raise DeviceError(f"no device {device!r}; choose one of {', '.join(DEVICES)}")
    _require_file(path)
    # The CPU opens every model in milliseconds. So a bad file is refused before an accelerator starts, and an
    # error that only an accelerator reports is not the file's fault.
    reference = _opened(_backends("cpu")[0], path, "cpu")
    try:
        engine = _fastest(path, device)
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
    if not is_utf8(path):
        raise NotAModelError(f"{str(path)!r}: the name is not UTF-8; rename it")
    try:
        is_pointer = is_lfs_pointer(path)
    except OSError as error:
        raise NotAModelError(f"{path}: cannot be read: {error.strerror}") from error
    if is_pointer:
        raise NotAModelError(f"{path}: {lfs_remedy()}")


def _backends(device: str) -> list[Backend]:
    backends: list[Backend] = [resolve(reference) for reference in BACKENDS]
    return [backend for backend in backends if device in backend.devices()]


def _fastest(path: Path, device: str) -> Engine | None:
    """The engine on the first accelerator that works; None means the CPU."""
    wanted = ACCELERATORS if device == "auto" else (device,)
    candidates = [(name, backend) for name in wanted if name != "cpu" for backend in _backends(name)]
    if device == "auto":
        candidates = [(name, backend) for name, backend in candidates if name in backend.present()]
    for number, (name, backend) in enumerate(candidates, start=1):
        try:
            return _opened(backend, path, name)
        except DeviceError as error:
            if device != "auto" and number == len(candidates):
                raise DeviceError(f"{error}; or use device='auto'") from error
            _log.warning("%s; trying the next device", error)
    return None


def _opened(backend: Backend, path: Path, device: str) -> Engine:
    """Open a file with a backend, and check it by one inference on black."""
    engine = backend(path, device)
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
