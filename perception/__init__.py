"""Camera frames in, traffic signs and road masks out.

The data path, one module per step:

    message ─► frames ─► detection │ signs │ segmentation ─► Boxes │ Sign │ RoadMask ─► draw, topics
                                  │ prepare               ▲
                                  ▼                       │ finish
                                  engine ─────── infer ───┘     engines/: one model file on one device

``reader`` puts detection and signs together, ``tracking`` follows the signs of a stream. ``ground`` says in
metres what a mask shows.
``tasks`` is the one table of what the runtime can do. ``model`` is what all models and results have in
common, ``spec`` what a model file says about itself, ``errors`` everything that can go wrong. Only ``nodes``
and ``demo`` need ROS.
"""

from __future__ import annotations

import os
from pathlib import Path

# Before ONNX Runtime is first imported: by default it reports every session that it opens to Microsoft, and
# keeps an identifier of the machine in ~/.cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from perception.detection import Boxes, SignDetector
from perception.engines import WhileBuilding, open_engine, read_spec
from perception.errors import (
    CameraError,
    DeviceError,
    FrameError,
    InputError,
    LabelMismatchError,
    ModelError,
    ModelNotFoundError,
    NotAModelError,
    NotBuiltError,
    PerceptionError,
    SpecInvalidError,
    SpecMissingError,
    SpecVersionError,
    WeightsOutsideError,
    WrongTaskError,
)
from perception.ground import Camera, Ground
from perception.model import Model, Result
from perception.reader import SignFollower, SignReader
from perception.segmentation import RoadMask, Segmenter
from perception.signs import Sign, SignClassifier, Signs
from perception.spec import ModelSpec
from perception.tasks import TASKS, resolve
from perception.tracking import SignTracker, Track, Tracks

__version__ = "0.1.0"

__all__ = [
    "Boxes",
    "Camera",
    "CameraError",
    "DeviceError",
    "FrameError",
    "Ground",
    "InputError",
    "LabelMismatchError",
    "Model",
    "ModelError",
    "ModelNotFoundError",
    "ModelSpec",
    "NotAModelError",
    "NotBuiltError",
    "PerceptionError",
    "Result",
    "RoadMask",
    "Segmenter",
    "Sign",
    "SignClassifier",
    "SignDetector",
    "SignFollower",
    "SignReader",
    "SignTracker",
    "Signs",
    "SpecInvalidError",
    "SpecMissingError",
    "SpecVersionError",
    "Track",
    "Tracks",
    "WeightsOutsideError",
    "WrongTaskError",
    "load",
    "read_spec",
]


def load(path: str | Path, *, device: str = "auto", while_building: WhileBuilding = "wait") -> Model:
    """Open a model file. Its task decides which ``Model`` is returned, such as a Segmenter.

    Args:
        path: an ``.onnx`` file with a spec inside.
        device: ``"auto"`` takes the fastest that works; ``"cpu"``, ``"cuda"`` or ``"tensorrt"`` only it.
        while_building: where TensorRT has to build an engine first, which can take minutes: ``"wait"`` for
            it; let the ``"cpu"`` answer until it is there; or ``"refuse"``.

    Raises:
        ModelError: the file is missing or broken, has no usable spec, or is for a task without a runtime.
        DeviceError: the requested device does not work; a NotBuiltError if building is refused.
    """
    engine = open_engine(path, device=device, while_building=while_building)
    runner = TASKS[engine.spec.task].runner
    if not runner:
        engine.close()
        known = " and ".join(repr(name) for name, task in TASKS.items() if task.runner)
        raise WrongTaskError(f"{path}: a model for {engine.spec.task!r}; this release runs {known}")
    model: Model = resolve(runner)(engine)
    return model
