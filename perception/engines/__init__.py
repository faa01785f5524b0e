"""Engine: whatever turns a batch of frames into a model's outputs, and what those outputs must be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.errors import LabelMismatchError, SpecInvalidError
from perception.spec import ModelSpec
from perception.tasks import UNLABELLED

DEVICES = ("auto", "cpu", "cuda", "tensorrt")
INPUT = "frames"

# task: {output: (dtype, one letter per axis)}; K is the number of labels, M is free.
OUTPUTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "signs": {"scores": ("float32", "NK"), "known": ("float32", "N")},
    "segmentation": {"mask": ("uint8", "NHW"), "confidence": ("uint8", "NHW")},
    "sign_detection": {"boxes": ("float32", "M4"), "scores": ("float32", "M")},
}


class Engine(Protocol):
    """One opened model on one device. A new backend is one file in ``engines/``."""

    @property
    def spec(self) -> ModelSpec:
        """What the model file says about itself."""

    @property
    def device(self) -> str:
        """Where it really runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``; never ``"auto"``."""

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """Run the model once.

        Args:
            frames: (N, H, W, 3) uint8 BGR, C-contiguous, H and W as ``spec.input_hw`` says.

        Returns:
            The outputs of the task by name, as OUTPUTS has them. The arrays belong to the caller.
        """


def open_engine(path: str | Path, *, device: str = "auto") -> Engine:
    """Open a model file on a device and run it once, so that the first frame finds it warm.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: one of DEVICES. ``"auto"`` takes the fastest that is there; any other choice is an order.

    Raises:
        ModelError: the file is missing, broken or without a usable spec, or its outputs break the spec.
        DeviceError: the device was ordered and is not there.
    """
    from perception.engines.ort import OrtEngine

    return OrtEngine(path, device=device)


def check_outputs(spec: ModelSpec, outputs: Mapping[str, NDArray[Any]], *, batch: int, where: str) -> None:
    """Compare what an engine gave with what the spec promises.

    Args:
        batch: how many frames the engine was given.
        where: the model's name, for error messages.

    Raises:
        SpecInvalidError: an output is missing, or has another type or shape.
        LabelMismatchError: the number of labels is not the width of the output.
    """
    sizes = {"N": batch, "H": spec.input_hw[0], "W": spec.input_hw[1], "4": 4}
    for name, (dtype, axes) in OUTPUTS[spec.task].items():
        if name not in outputs:
            raise SpecInvalidError(
                f"{where}: no output {name!r}, only {', '.join(outputs)}; {spec.task} needs it"
            )
        array = outputs[name]
        if not isinstance(array, np.ndarray):
            raise SpecInvalidError(
                f"{where}: output {name!r} is no tensor; {spec.task} needs {dtype} [{', '.join(axes)}]"
            )
        fits = array.dtype == dtype and array.ndim == len(axes)
        if not fits or any(
            sizes.get(axis, size) != size for axis, size in zip(axes, array.shape, strict=True)
        ):
            raise SpecInvalidError(
                f"{where}: output {name!r} is {array.dtype} {array.shape} for {batch} frame(s); "
                f"{spec.task} needs {dtype} [{', '.join(axes)}]; export the model again"
            )
        if "K" in axes and array.shape[axes.index("K")] != len(spec.labels):
            raise LabelMismatchError(
                f"{where}: {len(spec.labels)} labels, but {name!r} is {array.shape[1]} wide; "
                "export the model again with the labels it was trained on"
            )
    if spec.task == "segmentation":
        check_class_ids(spec, outputs["mask"], where=where)


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
