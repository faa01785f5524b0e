"""FakeEngine: an engine without a model, for tests of everything around it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.engines import check_outputs
from perception.spec import ModelSpec


class FakeEngine:
    """Gives the same outputs for every frame.

    Args:
        spec: what it claims to be.
        outputs: one frame's outputs by name, without the leading N. By default it is sure of class 0.
        latency_s: how long each call takes.

    Attributes:
        batches: how many frames each call brought so far.
    """

    device = "cpu"

    def __init__(
        self, spec: ModelSpec, *, outputs: Mapping[str, NDArray[Any]] | None = None, latency_s: float = 0.0
    ) -> None:
        self.spec = spec
        self.batches: list[int] = []
        self._outputs = _sure_of_class_0(spec) if outputs is None else outputs
        self._latency_s = latency_s

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``; the outputs are held to the same contract as those of a real model."""
        self.batches.append(len(frames))
        time.sleep(self._latency_s)
        outputs = {name: np.stack([array] * len(frames)) for name, array in self._outputs.items()}
        check_outputs(self.spec, outputs, batch=len(frames), where="fake engine")
        return outputs


def _sure_of_class_0(spec: ModelSpec) -> dict[str, NDArray[Any]]:
    if spec.task == "signs":
        scores = np.zeros(len(spec.labels), np.float32)
        scores[0] = 1.0
        return {"scores": scores, "known": np.float32(1.0).reshape(())}
    return {"mask": np.zeros(spec.input_hw, np.uint8), "confidence": np.full(spec.input_hw, 255, np.uint8)}
