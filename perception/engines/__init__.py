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

from perception.engines.metadata import read_metadata
from perception.errors import (
    DeviceError,
    LabelMismatchError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
    SpecInvalidError,
)
from perception.paths import is_lfs_pointer, is_utf8, lfs_remedy
from perception.spec import ModelSpec
from perception.tasks import TASKS, UNLABELLED, Output, resolve

INPUT = "frames"
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


def check_outputs(spec: ModelSpec, outputs: Mapping[str, NDArray[Any]], *, batch: int, where: str) -> None:
    """Compare what an engine gave with what the spec promises.

    Args:
        batch: how many frames the engine was given.
        where: the model's name, for error messages.

    Raises:
        SpecInvalidError: an output is missing, or has another type or shape.
        LabelMismatchError: the number of labels is not the width of the output, or a class id has no label.
    """
    height, width = spec.padded(spec.input_hw)
    sizes = {"N": batch, "H": height, "W": width, "4": 4}
    things: tuple[str, int] | None = None  # an output with an axis M, and how many it has
    for name, output in TASKS[spec.task].outputs.items():
        wanted = f"{spec.task} needs {output.dtype} [{', '.join(output.axes)}]"
        if name not in outputs:
            raise SpecInvalidError(
                f"{where}: no output {name!r}, only {', '.join(outputs)}; {spec.task} needs it"
            )
        array = outputs[name]
        if not isinstance(array, np.ndarray):
            raise SpecInvalidError(f"{where}: output {name!r} is not a tensor; {wanted}")
        if not _fits(array, output, sizes):
            raise SpecInvalidError(
                f"{where}: output {name!r} is {array.dtype} {array.shape} for {batch} frame(s); {wanted}; "
                "export the model again"
            )
        if "K" in output.axes and array.shape[output.axes.index("K")] != len(spec.labels):
            raise LabelMismatchError(
                f"{where}: {len(spec.labels)} labels, but {name!r} is {array.shape[1]} wide; "
                "export the model again with the labels it was trained on"
            )
        if output.axes.startswith("M"):
            things = things or (name, len(array))
            if len(array) != things[1]:
                raise SpecInvalidError(
                    f"{where}: {things[1]} {things[0]}, but {len(array)} {name}; export the model again"
                )
        if output.holds_ids:
            check_class_ids(spec, array, where=where)


def check_class_ids(spec: ModelSpec, mask: NDArray[np.uint8], *, where: str) -> None:
    """Refuse class ids that have no label; UNLABELLED is always allowed.

    Raises:
        LabelMismatchError: the mask holds an id at or beyond ``len(spec.labels)``.
    """
    classes = len(spec.labels)
    if mask.max() < classes:  # the usual case, one pass
        return
    nameless = mask[(mask >= classes) & (mask != UNLABELLED)]
    if nameless.size:
        raise LabelMismatchError(
            f"{where}: class id {nameless.max()} in the mask, but only {classes} labels; "
            "export the model again with the labels it was trained on"
        )


def _fits(array: NDArray[Any], output: Output, sizes: Mapping[str, int]) -> bool:
    return (
        array.dtype == output.dtype
        and array.ndim == len(output.axes)
        and all(sizes.get(axis, size) == size for axis, size in zip(output.axes, array.shape))
    )


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
        _check_inputs(engine, path)
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


def _check_inputs(engine: BackendEngine, path: Path) -> None:
    spec = engine.spec
    height, width = spec.padded(spec.input_hw)
    shapes = [shape for name, dtype, shape in engine.inputs if (name, dtype) == (INPUT, "tensor(uint8)")]
    if len(engine.inputs) != 1 or not shapes or not _same_where_fixed(shapes[0][1:], (height, width, 3)):
        inputs = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in engine.inputs)
        wanted = "H, W" if spec.stride else f"{height}, {width}"
        raise SpecInvalidError(
            f"{path}: takes {inputs}; it must take {INPUT} tensor(uint8) [N, {wanted}, 3]; "
            "export the model again"
        )
    fixed = [size for size in shapes[0][1:3] if isinstance(size, int)]
    if spec.stride and fixed:
        raise SpecInvalidError(
            f"{path}: takes frames of {list(shapes[0][1:3])} only, but its spec says any multiple of "
            f"{spec.stride} px; export the model with free height and width, or with stride 0 in the spec"
        )
    batch = shapes[0][0]
    if TASKS[spec.task].max_batch > 1 and isinstance(batch, int):
        raise SpecInvalidError(
            f"{path}: takes {batch} frame(s) at a time, but all boxes of a picture go through in one "
            "call; export the model with a free first axis"
        )
    if isinstance(batch, int) and batch != 1:
        raise SpecInvalidError(
            f"{path}: takes {batch} frames at a time, but gets one; export the model with a first axis of 1"
        )


def _same_where_fixed(shape: Sequence[int | str | None], wanted: tuple[int, ...]) -> bool:
    """Whether all fixed axes have the wanted size; a free axis always fits."""
    return len(shape) == len(wanted) and all(
        size == want for size, want in zip(shape, wanted) if isinstance(size, int)
    )
