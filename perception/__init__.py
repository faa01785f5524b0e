"""Camera frames in, traffic sign classes and road masks out.

The data path, one module a step:

    message ─► frames ─► signs │ segmentation ─► Sign │ RoadMask ─► draw, topics
                              │ prepare           ▲
                              ▼                   │ finish
                              engine ──── infer ──┘     engine, engines/: one model file on one device

What a model file promises stands in ``spec``, everything that can go wrong in ``errors``. Nodes live in
``perception.nodes``, the only part that needs ROS.
"""

from __future__ import annotations

import os
from pathlib import Path

# Before ONNX Runtime is first imported: by itself it tells Microsoft of every session that it opens, and
# keeps a number for the machine in ~/.cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from perception.engines import open_engine
from perception.errors import (
    DeviceError,
    FrameError,
    InputError,
    LabelMismatchError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
    PerceptionError,
    SpecInvalidError,
    SpecMissingError,
    SpecVersionError,
    WrongTaskError,
)
from perception.segmentation import RoadMask, Segmenter
from perception.signs import Sign, SignClassifier, Signs
from perception.spec import ModelSpec

__version__ = "0.1.0"

__all__ = [
    "DeviceError",
    "FrameError",
    "InputError",
    "LabelMismatchError",
    "ModelError",
    "ModelNotFoundError",
    "ModelSpec",
    "NotAModelError",
    "PerceptionError",
    "RoadMask",
    "Segmenter",
    "Sign",
    "SignClassifier",
    "Signs",
    "SpecInvalidError",
    "SpecMissingError",
    "SpecVersionError",
    "WrongTaskError",
    "load",
]


def load(path: str | Path, *, device: str = "auto") -> SignClassifier | Segmenter:
    """Open a model file; its task decides what comes back.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: ``"auto"`` takes the fastest that is there; ``"cpu"``, ``"cuda"``, ``"tensorrt"`` are orders.

    Raises:
        ModelError: the file is missing, broken, without a usable spec, or of a task without a runtime here.
        DeviceError: the device was ordered and is not there.
    """
    engine = open_engine(path, device=device)
    if engine.spec.task == "signs":
        return SignClassifier(engine)
    if engine.spec.task == "segmentation":
        return Segmenter(engine)
    raise WrongTaskError(
        f"{path}: a model for {engine.spec.task!r}; this release runs 'signs' and 'segmentation'"
    )
