"""FakeEngine: an engine without a model, for tests of everything around it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.engines.checks import check_outputs
from perception.spec import ModelSpec
from perception.tasks import TASKS, Output


class FakeEngine:
    """Gives the same outputs for every frame.

    Args:
        spec: what it claims to be.
        outputs: one frame's outputs by name, without the leading N; by default class 0 with full confidence,
            and no boxes.
        latency_s: how long each call takes.

    Attributes:
        batches: number of frames of each call so far.
        is_closed: ``close`` was called.
    """

    device = "cpu"

    def __init__(
        self, spec: ModelSpec, *, outputs: Mapping[str, NDArray[Any]] | None = None, latency_s: float = 0.0
    ) -> None:
        self.spec = spec
        self.batches: list[int] = []
        self.is_closed = False
        self._outputs = outputs or {
            name: _sure_of_class_0(output, spec) for name, output in TASKS[spec.task].outputs.items()
        }
        self._latency_s = latency_s

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``; the outputs are checked like those of a real model."""
        self.batches.append(len(frames))
        time.sleep(self._latency_s)
        axes = {name: output.axes for name, output in TASKS[self.spec.task].outputs.items()}
        outputs = {
            name: np.stack([array] * len(frames)) if axes.get(name, "N").startswith("N") else array.copy()
            for name, array in self._outputs.items()
        }
        check_outputs(self.spec, outputs, batch=len(frames), where="fake engine")
        return outputs

    def close(self) -> None:
        """Note that it was called."""
        self.is_closed = True


def _sure_of_class_0(output: Output, spec: ModelSpec) -> NDArray[Any]:
    """One frame's output: class 0 everywhere, with the highest confidence that the type can hold."""
    sizes = {"K": len(spec.labels), "H": spec.input_hw[0], "W": spec.input_hw[1], "4": 4, "M": 0}
    array = np.zeros([sizes[axis] for axis in output.axes if axis != "N"], output.dtype)
    if output.holds_ids:
        return array
    sure = 1 if np.issubdtype(array.dtype, np.floating) else 255
    array[(0,) if "K" in output.axes else ...] = sure
    return array
