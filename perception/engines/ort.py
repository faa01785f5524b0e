"""OrtEngine: ONNX Runtime on the CPU, on CUDA, or through TensorRT."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from perception.engines import DEVICES, INPUT, check_outputs
from perception.errors import (
    DeviceError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
    SpecInvalidError,
)
from perception.paths import is_utf8
from perception.spec import ModelSpec

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}  # fastest first
INSTALL = {
    "tensorrt": "install onnxruntime-gpu and the TensorRT it names; on a Jetson, the wheel of your JetPack",
    "cuda": "install onnxruntime-gpu instead of onnxruntime, and CUDA and cuDNN of the versions it names",
}
NVIDIA = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu")  # device files of a card, of Jetsons
# TensorRT builds for a range of batch sizes; beyond it, it would build again in the middle of a drive. It
# reserves memory for the largest, so only crops go through together.
MAX_BATCH = 32

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
    RuntimeError,  # from the loading of a device's libraries
    UnicodeDecodeError,  # from its own words, with a damaged file's names in them
)  # they share no class of their own


class OrtEngine:
    """A model file opened with ONNX Runtime.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: see ``open_engine``.

    Raises:
        ModelError: see ``open_engine``.
        DeviceError: the device was ordered and did not come up, or failed on the first inference.
    """

    def __init__(self, path: str | Path, *, device: str = "auto") -> None:
        self._path = Path(path)
        if device not in DEVICES:
            raise DeviceError(f"no device {device!r}; choose one of {', '.join(DEVICES)}")
        if not self._path.is_file():
            raise ModelNotFoundError(f"{self._path}: no such file")
        if not is_utf8(self._path):
            raise NotAModelError(f"{str(self._path)!r}: the name is not UTF-8; rename it")
        # The CPU reads every model in milliseconds: a bad file is refused before an accelerator is woken.
        try:
            session = _open(self._path, "cpu", None)
        except _ORT_ERRORS as error:
            raise NotAModelError(
                f"{self._path}: ONNX Runtime {ort.__version__} cannot open it: {_first_line(error)}"
            ) from error
        try:
            metadata = session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            raise SpecInvalidError(
                f"{self._path}: its metadata is not UTF-8 ({error}); export the model again"
            ) from error
        self.spec = ModelSpec.from_metadata(metadata, where=str(self._path))
        self._check_input(session)
        self._names = [output.name for output in session.get_outputs()]
        present = [name for name, provider in PROVIDERS.items() if provider in ort.get_available_providers()]
        gpu = next((name for name in NVIDIA if Path(name).exists()), None)
        if device == "auto" and present == ["cpu"] and gpu:
            _log.warning(
                "%s is there, but ONNX Runtime %s knows no GPU; %s", gpu, ort.__version__, INSTALL["cuda"]
            )
        self._start_first(present if device == "auto" else [device], session)

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``. Safe to call from several threads.

        Raises:
            DeviceError: the device gave up, for example for want of memory.
        """
        step = max_batch(self.spec)
        if len(frames) <= step:
            return self._run(frames)
        parts = [self._run(frames[start : start + step]) for start in range(0, len(frames), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        try:
            return dict(zip(self._names, self._session.run(None, {INPUT: frames}), strict=True))
        except _ORT_ERRORS as error:
            raise DeviceError(
                f"{self._path}: inference failed on {self.device}: {_first_line(error)}"
            ) from error

    def _check_input(self, session: ort.InferenceSession) -> None:
        inputs = session.get_inputs()
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        wanted = f"{INPUT} tensor(uint8) [N, {self.spec.input_hw[0]}, {self.spec.input_hw[1]}, 3]"
        fits = len(inputs) == 1 and inputs[0].name == INPUT and inputs[0].type == "tensor(uint8)"
        if not fits or not _same_where_fixed(inputs[0].shape[1:], (*self.spec.input_hw, 3)):
            raise SpecInvalidError(
                f"{self._path}: takes {found}; it must take {wanted}; export the model again"
            )
        self._any_batch = not isinstance(inputs[0].shape[0], int)
        if self.spec.task == "signs" and not self._any_batch:
            raise SpecInvalidError(
                f"{self._path}: takes {inputs[0].shape[0]} frame(s) at a time, but all boxes of a picture go "
                "through in one call; export the model with a free first axis"
            )

    def _start_first(self, devices: list[str], cpu: ort.InferenceSession) -> None:
        """Start on the first of the devices that really works."""
        self._session, self.device = cpu, "cpu"
        self._warm_up()  # what is wrong here is the model's fault, what only goes wrong elsewhere is not
        for device in devices:
            if device == "cpu":
                self._session, self.device = cpu, device
                return
            try:
                self._start_on(device, is_order=len(devices) == 1)
                return
            except DeviceError as error:
                if device == devices[-1]:
                    raise
                _log.warning("%s; trying the next device", error)

    def _start_on(self, device: str, *, is_order: bool) -> None:
        try:
            self._session, self.device = self._open_on(device, is_order=is_order), device
            self._warm_up()
        except DeviceError as error:
            engines = engine_folder(self._path)
            # The power was cut while it was written, or another TensorRT reads it: ONNX Runtime would say so
            # at every start from now on.
            if device != "tensorrt" or "deserialize" not in str(error) or not engines.is_dir():
                raise
            _log.warning("%s; removing what is kept in %s to build it anew", error, engines)
            shutil.rmtree(engines, ignore_errors=True)  # or the same error comes again, and says it
            self._session, self.device = self._open_on(device, is_order=is_order), device
            self._warm_up()

    def _open_on(self, device: str, *, is_order: bool) -> ort.InferenceSession:
        """Open a session on an accelerator; ONNX Runtime by itself would fall back to the CPU in silence."""
        if PROVIDERS[device] not in ort.get_available_providers():
            why = f"ONNX Runtime {ort.__version__} was built without it"
        else:
            try:
                session = _open(self._path, device, self.spec if self._any_batch else None)
            except (*_ORT_ERRORS, OSError) as error:  # OSError: no place for TensorRT's engines
                why = _first_line(error)
            else:
                if PROVIDERS[device] in session.get_providers():
                    return session
                why = "a library or the device itself is missing"
        remedy = INSTALL[device] + (", or use device='auto'" if is_order else "")
        raise DeviceError(f"{self._path}: {device} did not come up ({why}); {remedy}")

    def _warm_up(self) -> None:
        """One inference on black: builds what is built lazily, and shows what the outputs really are."""
        outputs = self._run(np.zeros((1, *self.spec.input_hw, 3), np.uint8))
        try:
            check_outputs(self.spec, outputs, batch=1, where=str(self._path))
        except ModelError as error:
            if self.device == "cpu":
                raise
            found = str(error).partition(";")[0]
            raise DeviceError(
                f"{found}; on the CPU it is right, so {self.device} misreads the model, as TensorRT 8 does"
            ) from error


def _open(path: Path, device: str, any_batch: ModelSpec | None) -> ort.InferenceSession:
    """Open a session on a device.

    Args:
        any_batch: the spec, if the model takes any number of frames; TensorRT needs the range told.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3  # errors only
    # Told the number, ONNX Runtime does not pin its threads to cores; two nodes would pin to the same ones.
    options.intra_op_num_threads = cores()
    # Waiting threads sleep instead of spinning: the cores belong to the other nodes between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A third to a half of the memory in the same time. By default buffers are handed on from tensor to tensor
    # and freed after the last of them, and SegNet's phases are computed late, with their larger inputs held.
    options.enable_mem_reuse = False
    options.enable_mem_pattern = False
    options.execution_order = ort.ExecutionOrder.PRIORITY_BASED
    providers: list[Any] = [PROVIDERS["cpu"]]
    if device != "cpu":
        if hasattr(ort, "preload_dlls"):  # finds CUDA where pip put it; ONNX Runtime 1.21 and later
            ort.preload_dlls()
        # Heuristic: an exhaustive search would start anew at every new number of boxes.
        providers.insert(0, (PROVIDERS["cuda"], {"cudnn_conv_algo_search": "HEURISTIC"}))
    if device == "tensorrt":
        providers.insert(0, (PROVIDERS["tensorrt"], tensorrt_options(path, any_batch)))
    # By itself it would open another session without the device, and print why to where nobody looks.
    session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    session.disable_fallback()  # older ONNX Runtimes do not know the argument above
    return session


def tensorrt_options(path: Path, any_batch: ModelSpec | None) -> dict[str, Any]:
    """What TensorRT is told: where engines are kept, and for which numbers of frames they are built."""
    cache = engine_folder(path)
    if not any(cache.glob("*.engine")):
        _log.warning(
            "%s: if TensorRT comes up, it builds its engine now, which can take minutes; it is kept in %s",
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
    if any_batch is not None:
        height, width = any_batch.input_hw
        for bound, batch in (("min", 1), ("opt", 1), ("max", max_batch(any_batch))):
            options[f"trt_profile_{bound}_shapes"] = f"{INPUT}:{batch}x{height}x{width}x3"
    return options


def cores() -> int:
    """How many processor cores this process may use, or has, where the system does not tell."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def max_batch(spec: ModelSpec) -> int:
    """How many frames go through in one call."""
    return MAX_BATCH if spec.task == "signs" else 1


def engine_folder(path: Path) -> Path:
    """Where TensorRT's engines of a model are kept: named after its content, so never another model's."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "perception" / "tensorrt" / hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _same_where_fixed(shape: list[Any], wanted: tuple[int, ...]) -> bool:
    """An axis of a graph is a number where it is fixed and a name where it is free."""
    return len(shape) == len(wanted) and all(
        size == want for size, want in zip(shape, wanted, strict=True) if isinstance(size, int)
    )


def _first_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):  # its text speaks of bytes of a message, not of the file
        return "a name in it is not UTF-8, so the file is damaged; copy or export it again"
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
