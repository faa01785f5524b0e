"""Contract: what an engine is, and what a backend that opens engines has to have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.engines.checks import Inputs
from perception.spec import ModelSpec


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

    def __call__(self, path: Path, device: str, *, may_build: bool = True) -> BackendEngine:
        """Open a model file on a device.

        Args:
            may_build: if something has to be built first, which can take minutes, build it.

        Raises:
            ModelError: the file cannot be read, or has no usable spec.
            DeviceError: the device does not come up; the message ends with the remedy.
            NotBuiltError: something has to be built first, and may not.
        """

    def devices(self) -> tuple[str, ...]:
        """All devices that it knows."""

    def present(self) -> tuple[str, ...]:
        """Those that may come up on this machine."""


class BackendEngine(Engine, Protocol):
    """An engine as its backend opens it."""

    @property
    def inputs(self) -> Inputs:
        """(name, type as ONNX Runtime writes it, shape) of each input; a free axis is not a number."""
