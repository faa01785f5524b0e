"""TrtEngine: TensorRT by itself, without ONNX Runtime's GPU build.

    model file ─► cache ───────────────────► execution ─► outputs
                  └─► builder ─► cache ─┘

What touches CUDA is in ``cuda``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.engines import builder, cache, read_spec
from perception.engines.builder import Source, Step, TensorRT
from perception.engines.cache import Key
from perception.engines.checks import Inputs
from perception.engines.cuda import Cuda, CudaPython, Gpu
from perception.engines.execution import Run
from perception.engines.gpus import nvidia_device
from perception.errors import DeviceError, NotBuiltError
from perception.tasks import TASKS

_log = logging.getLogger(__name__)


class TrtEngine:
    """A model file opened with TensorRT. Where no engine of it is kept, one is built, which can take minutes.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: ``"tensorrt"``.
        may_build: whether it may be built now.

    Raises:
        ModelError: the file cannot be read, or has no usable spec.
        DeviceError: TensorRT does not come up, or does not take the model.
        NotBuiltError: it has to be built, and may not.
    """

    def __init__(self, path: Path, device: str, *, may_build: bool = True) -> None:
        self.device = device
        self._path = path
        self._lock = threading.Lock()
        source = _source(path)
        self.spec = source.spec
        self._tensorrt, self._cuda = _come_up(path)
        gpu = self._cuda.gpu()
        key = source.key(self._tensorrt, gpu)
        kept = key.path(path.stem)
        self._run: Run | None = self._kept(kept, key)
        if self._run is None:
            if not may_build:
                raise NotBuiltError(
                    f"{path}: no engine of it is kept; build it first: perception build {path}"
                )
            self._run = self._built(source, gpu, kept, key)

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """The one device that it knows."""
        return ("tensorrt",)

    @classmethod
    def present(cls) -> tuple[str, ...]:
        """The same, where TensorRT's Python module and a GPU are."""
        has_module = any(find_spec(name) for name in builder.MODULES)
        return cls.devices() if has_module and nvidia_device() else ()

    @classmethod
    def must_build(cls, path: Path) -> bool:
        """Whether no engine of a model is kept, so that opening takes minutes.

        Raises:
            ModelError: the file cannot be read, or has no usable spec.
            DeviceError: TensorRT does not come up.
        """
        source = _source(path)
        tensorrt, cuda = _come_up(path)
        key = source.key(tensorrt, cuda.gpu())
        return cache.load(key.path(path.stem), key) is None

    @property
    def inputs(self) -> Inputs:
        """(name, type, shape) of each input; a free axis is not a number."""
        return self._opened().inputs

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``. More frames than the task's ``max_batch`` go through in parts."""
        step = TASKS[self.spec.task].max_batch
        with self._lock:
            run = self._opened()
            starts = range(0, max(len(frames), 1), step)
            try:
                parts = [run(frames[start : start + step]) for start in starts]
            except DeviceError as error:
                raise DeviceError(f"{self._path}: inference failed on {self.device}: {error}") from error
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Free the GPU's memory, once an inference that runs has ended."""
        with self._lock:
            if self._run is not None:
                self._run.close()
            self._run = None

    def _kept(self, kept: Path, key: Key) -> Run | None:
        """The engine that was kept; None without one that runs. The file of one that does not is removed."""
        plan = cache.load(kept, key)
        if plan is None:
            return None
        try:
            return Run(self._path, self._tensorrt, self._cuda, plan)
        except DeviceError as error:  # another driver, for example
            _log.warning("%s; %s is built again", error, kept)
            with suppress(OSError):
                kept.unlink(missing_ok=True)
            return None

    def _built(self, source: Source, gpu: Gpu, kept: Path, key: Key) -> Run:
        """The engine that is built now, and kept."""
        _log.warning("%s: TensorRT builds an engine for %s now, which can take minutes", self._path, gpu.name)
        with cache.building_alone():
            plan = builder.build(source, self._tensorrt, gpu)
        run = Run(self._path, self._tensorrt, self._cuda, plan)
        try:
            cache.keep(kept, key, plan)
        except OSError as error:
            _log.warning("%s: its engine is not kept, so the next start builds again: %s", self._path, error)
        return run

    def _opened(self) -> Run:
        if self._run is None:
            raise DeviceError(f"{self._path}: the model is closed; open it again")
        return self._run


def build(
    path: Path, *, gpu: Gpu | None = None, again: bool = False, on_step: Step | None = None
) -> tuple[Path, bool]:
    """Build an engine ahead of time and keep it.

    Args:
        path: an ``.onnx`` file with a spec inside.
        gpu: where it is to run; None means here.
        again: build even if one is kept.
        on_step: see ``builder.build``.

    Returns:
        Where it is kept, and whether it was built now.

    Raises:
        ModelError: the file cannot be read, or has no usable spec.
        DeviceError: TensorRT does not come up, or does not take the model.
        OSError: the engine cannot be kept.
    """
    source = _source(path)
    if gpu is None:
        tensorrt, cuda = _come_up(path)
        gpu = cuda.gpu()
    else:
        tensorrt = _for_another(path)
    key = source.key(tensorrt, gpu)
    kept = key.path(path.stem)
    with cache.building_alone():
        if not again and cache.load(kept, key) is not None:
            return kept, False
        cache.keep(kept, key, builder.build(source, tensorrt, gpu, on_step=on_step))
    return kept, True


def _source(path: Path) -> Source:
    return Source(path, path.read_bytes(), read_spec(path))


def _come_up(path: Path) -> tuple[TensorRT, Cuda]:
    """TensorRT and CUDA, or all that is missing in one error."""
    missing: list[DeviceError] = []
    tensorrt: TensorRT | None = None
    cuda: Cuda | None = None
    try:
        tensorrt = builder.tensorrt()
    except DeviceError as error:
        missing.append(error)
    try:
        cuda = CudaPython()
    except DeviceError as error:
        missing.append(error)
    if tensorrt is None or cuda is None:
        problems, remedies = zip(*(str(error).split("; ", 1) for error in missing), strict=True)
        raise DeviceError(
            f"{path}: tensorrt did not come up ({', and '.join(problems)}); {'; '.join(remedies)}"
        )
    return tensorrt, cuda


def _for_another(path: Path) -> TensorRT:
    try:
        tensorrt = builder.tensorrt()
    except DeviceError as error:
        raise DeviceError(f"{path}: {error}") from error
    if not tensorrt.is_rtx:
        raise DeviceError(
            f"{path}: TensorRT {tensorrt.module.__version__} builds for the GPU of this machine alone; "
            "build on the machine that runs the model, or use TensorRT for RTX on both"
        )
    return tensorrt
