"""Checks: whether a model takes and gives what its spec promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.errors import LabelMismatchError, SpecInvalidError
from perception.spec import ModelSpec
from perception.tasks import TASKS, UNLABELLED, Output

INPUT = "frames"
Inputs = Sequence[tuple[str, str, Sequence[int | str | None]]]


def check_inputs(spec: ModelSpec, inputs: Inputs, *, where: str) -> None:
    """Compare what an engine takes with what the spec promises.

    Args:
        inputs: (name, type as ONNX Runtime writes it, shape) of each input; a free axis is not a number.
        where: the model's name, for error messages.

    Raises:
        SpecInvalidError: it takes something else.
    """
    height, width = spec.padded(spec.input_hw)
    shapes = [shape for name, dtype, shape in inputs if (name, dtype) == (INPUT, "tensor(uint8)")]
    if len(inputs) != 1 or not shapes or not _same_where_fixed(shapes[0][1:], (height, width, 3)):
        takes = ", ".join(f"{name} {dtype} {list(shape)}" for name, dtype, shape in inputs)
        wanted = "H, W" if spec.stride else f"{height}, {width}"
        raise SpecInvalidError(
            f"{where}: takes {takes}; it must take {INPUT} tensor(uint8) [N, {wanted}, 3]; "
            "export the model again"
        )
    fixed = [size for size in shapes[0][1:3] if isinstance(size, int)]
    if spec.stride and fixed:
        raise SpecInvalidError(
            f"{where}: takes frames of {list(shapes[0][1:3])} only, but its spec says any multiple of "
            f"{spec.stride} px; export the model with free height and width, or with stride 0 in the spec"
        )
    batch = shapes[0][0]
    if TASKS[spec.task].max_batch > 1 and isinstance(batch, int):
        raise SpecInvalidError(
            f"{where}: takes {batch} frame(s) at a time, but all boxes of a picture go through in one "
            "call; export the model with a free first axis"
        )
    if isinstance(batch, int) and batch != 1:
        raise SpecInvalidError(
            f"{where}: takes {batch} frames at a time, but gets one; export the model with a first axis of 1"
        )


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


def _same_where_fixed(shape: Sequence[int | str | None], wanted: tuple[int, ...]) -> bool:
    """Whether all fixed axes have the wanted size; a free axis always fits."""
    return len(shape) == len(wanted) and all(
        size == want for size, want in zip(shape, wanted) if isinstance(size, int)
    )
