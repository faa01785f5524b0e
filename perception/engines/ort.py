"""OrtEngine: ONNX Runtime on the CPU, on CUDA, or through TensorRT."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from perception.engines import read_spec
from perception.engines.builder import tensorrt_shapes
from perception.engines.checks import INPUT
from perception.engines.metadata import read_metadata
from perception.engines.threads import threads
from perception.errors import DeviceError, NotAModelError
from perception.spec import ModelSpec
from perception.tasks import TASKS

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}  # fastest first
INSTALL = {
    "tensorrt": "install onnxruntime-gpu and the TensorRT it names; on a Jetson, the wheel of your JetPack",
    "cuda": "install onnxruntime-gpu instead of onnxruntime, and CUDA and cuDNN of the versions it names",
}

_log = logging.getLogger(__name__)
_ORT_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    RuntimeError,  # from loading a device's libraries
    UnicodeDecodeError,  # from its own messages, with a damaged file's names in them
)  # they have no base class of their own


class OrtEngine:
    """A model file opened with ONNX Runtime.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: a key of PROVIDERS.
        may_build: makes no difference: TensorRT's provider builds within ``infer``, and a warning says so
            before.

    Raises:
        ModelError: the file cannot be read, or has no usable spec.
        DeviceError: the device does not come up.
    """

    def __init__(self, path: Path, device: str, *, may_build: bool = True) -> None:
        self.device = device
        self._path = path
        if device == "cpu":
            try:
                self._session: ort.InferenceSession | None = _open(path, [PROVIDERS["cpu"]])
            except _ORT_ERRORS as error:
                read_metadata(path)  # of a damaged file it knows more
                why = f"ONNX Runtime {ort.__version__} cannot open it: {_first_line(error)}; copy it again"
                raise NotAModelError(f"{path}: {why}") from error
            self.spec = read_spec(path)
        else:
            self.spec = read_spec(path)
            self._session = self._open_on_accelerator()

    @classmethod
    def devices(cls) -> tuple[str, ...]:
        """All devices that ONNX Runtime can have."""
        return tuple(PROVIDERS)

    @classmethod
    def present(cls) -> tuple[str, ...]:
        """The devices that this build of ONNX Runtime has code for."""
        return tuple(
            name for name, provider in PROVIDERS.items() if provider in ort.get_available_providers()
        )

    @property
    def inputs(self) -> Sequence[tuple[str, str, Sequence[int | str | None]]]:
        """(name, type, shape) of each input; a free axis is not a number."""
        return [(i.name, i.type, i.shape) for i in self._opened().get_inputs()]

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``. More frames than the task's ``max_batch`` go through in parts."""
        step = TASKS[self.spec.task].max_batch
        if len(frames) <= step:
            return self._run(frames)
        parts = [self._run(frames[start : start + step]) for start in range(0, len(frames), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def close(self) -> None:
        """Free the session and its memory."""
        self._session = None

    def _opened(self) -> ort.InferenceSession:
        if self._session is None:
            raise DeviceError(f"{self._path}: the model is closed; open it again")
        return self._session

    def _run(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        session = self._opened()
        try:
            outputs = session.run(None, {INPUT: frames})
        except _ORT_ERRORS as error:
            raise DeviceError(
                f"{self._path}: inference failed on {self.device}: {_first_line(error)}"
            ) from error
        return dict(zip((output.name for output in session.get_outputs()), outputs, strict=True))

    def _open_on_accelerator(self) -> ort.InferenceSession:
        try:
            return self._try_accelerator()
        except DeviceError as error:
            engines = engine_folder(self._path)
            # A kept engine is cut off, for example by a power failure, or another TensorRT wrote it. ONNX
            # Runtime would fail at every start from now on, and only the text of its error says why.
            if self.device != "tensorrt" or "deserialize" not in str(error) or not engines.is_dir():
                raise
            _log.warning("%s; removing the engines in %s to build them again", error, engines)
            # If files stay, the same error comes again and is raised.
            shutil.rmtree(engines, ignore_errors=True)
            return self._try_accelerator()

    def _try_accelerator(self) -> ort.InferenceSession:
        """Open a session without ONNX Runtime's silent fallback to the CPU."""
        if PROVIDERS[self.device] not in ort.get_available_providers():
            why = f"ONNX Runtime {ort.__version__} was built without it"
        else:
            try:
                session = _open(self._path, _accelerated(self._path, self.spec, self.device))
                if self.device == "tensorrt":  # reads a kept engine only now, if the batch is free
                    first = np.zeros((1, *self.spec.padded(self.spec.input_hw), 3), np.uint8)
                    session.run(None, {INPUT: first})
            except (*_ORT_ERRORS, OSError) as error:  # OSError: no room for TensorRT's engines
                why = _first_line(error)
            else:
                if PROVIDERS[self.device] in session.get_providers():
                    return session
                why = "a library or the device itself is missing"
        raise DeviceError(f"{self._path}: {self.device} did not come up ({why}); {INSTALL[self.device]}")


def _open(path: Path, providers: list[Any]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    # With a number given, ONNX Runtime does not pin threads to cores; two nodes would pin to the same ones.
    options.intra_op_num_threads = threads()
    # Waiting threads sleep instead of spinning: the cores belong to the other nodes between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # This needs a third to a half of the default memory and no more time. By default a buffer is reused from
    # tensor to tensor and freed after the last, and SegNet's phases are computed late, so that their larger
    # inputs stay in memory.
    options.enable_mem_reuse = False
    options.enable_mem_pattern = False
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    # By default it would open another session without the device, and only print the reason.
    session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    session.disable_fallback()  # older ONNX Runtimes do not know the argument above
    return session


def _accelerated(path: Path, spec: ModelSpec, device: str) -> list[Any]:
    """The providers of an accelerator, with their options; what one cannot run goes to the next."""
    if hasattr(ort, "preload_dlls"):  # finds CUDA where pip put it; ONNX Runtime 1.21 and later
        ort.preload_dlls()
    # Heuristic, because an exhaustive search would start again at every new number of boxes.
    providers = [(PROVIDERS["cuda"], {"cudnn_conv_algo_search": "HEURISTIC"}), PROVIDERS["cpu"]]
    if device != "tensorrt":
        return providers
    (frames, *_) = _open(path, [PROVIDERS["cpu"]]).get_inputs()
    is_free = any(not isinstance(size, int) for size in frames.shape)
    options = tensorrt_options(path, spec, is_free=is_free)
    return [(PROVIDERS["tensorrt"], options), *providers]


def tensorrt_options(path: Path, spec: ModelSpec, *, is_free: bool = True) -> dict[str, Any]:
    """TensorRT's options: where engines are kept, and for which numbers and sizes of frames they are built.

    Args:
        is_free: whether the model takes any number or size of frames; TensorRT then needs the ranges.
    """
    cache = engine_folder(path)
    if not any(cache.glob("*.engine")):
        _log.warning(
            "%s: if TensorRT comes up, it builds an engine now, which can take minutes, and keeps it in %s",
            path,
            cache,
        )
    cache.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(cache),
    }
    if not is_free:
        return options
    # TensorRT builds for a range of shapes and reserves memory for the largest. Beyond the range it would
    # build again in the middle of a drive.
    for bound, shape in tensorrt_shapes(spec).items():
        options[f"trt_profile_{bound}_shapes"] = f"{INPUT}:{'x'.join(map(str, shape))}"
    return options


def engine_folder(path: Path) -> Path:
    """The folder of a model's TensorRT engines; named after the file's content, so no two models share it."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "perception" / "tensorrt" / hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _first_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):  # its text is about bytes of a message, not about the file
        return "a name in it is not UTF-8, so the file is damaged; copy or export it again"
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
