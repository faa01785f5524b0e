"""Bench: what one frame costs, stage by stage, from the JPEG of a camera driver to the result."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

import perception
from perception import frames
from perception.errors import InputError
from perception.latency import Latency
from perception.sources import open_source

SIZE_HW = (720, 1280)
WARM_UP = 5
_INPUT_FRAMES = 50  # of a file; they are held in memory, and repeat


def bench(
    model: Path, *, count: int = 100, input_path: Path | None = None, device: str = "auto"
) -> dict[str, Any]:
    """Time a model on JPEG frames.

    Args:
        model: an ``.onnx`` file.
        count: timed frames, after a few that are not.
        input_path: bag, video, folder or picture to take frames from; None paints one.
        device: see ``perception.load``.

    Returns:
        What was measured and where, ready for JSON; ``stages_ms`` maps a stage to p50, p95 and p99.

    Raises:
        ModelError: the model cannot be used.
        InputError: the input has no usable frame.
    """
    run = perception.load(model, device=device)
    messages = [_jpeg(frame) for frame in _frames(input_path)]
    latency = Latency(window=count)
    begin = 0.0
    for index, message in enumerate(islice(cycle(messages), WARM_UP + count)):
        start = time.perf_counter()
        if index == WARM_UP:
            begin = start
        frame = frames.from_compressed(message)
        read_ms = (time.perf_counter() - start) * 1000.0
        result = run(frame)
        total_ms = (time.perf_counter() - start) * 1000.0
        if index >= WARM_UP:
            latency.add({"read": read_ms, **result.latency_ms, "total": total_ms})
    seconds = time.perf_counter() - begin
    height, width = frame.shape[:2]
    return {
        "model": model.name,
        "task": run.spec.task,
        "input_hw": list(run.spec.input_hw),
        "device": run.device,
        "frame": f"{width}x{height} JPEG" + (f" from {input_path.name}" if input_path else ""),
        "frames": count,
        "fps": round(count / seconds, 2),
        "stages_ms": {
            stage: dict(zip(("p50", "p95", "p99"), (round(value, 3) for value in values)))
            for stage, values in latency.percentiles().items()
        },
        "machine": _machine(),
    }


def _frames(path: Path | None) -> Iterator[NDArray[np.uint8]]:
    if path is None:
        yield _painted()
        return
    images = (shot.image for shot in open_source(path).shots() if shot.image is not None)
    taken = list(islice(images, _INPUT_FRAMES))
    if not taken:
        raise InputError(f"{path}: not one usable frame")
    yield from taken


def _painted() -> NDArray[np.uint8]:
    """A picture that compresses about as a street does: smooth areas, edges and grain."""
    height, width = SIZE_HW
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    smooth[height // 3 :: 97] += 60
    grain = random.normal(0, 6, (height, width, 3)).astype(np.int16)
    picture: NDArray[np.uint8] = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    return picture


def _jpeg(frame: NDArray[np.uint8]) -> SimpleNamespace:
    """What frames.from_compressed needs of a sensor_msgs/CompressedImage."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return SimpleNamespace(format="bgr8; jpeg compressed bgr8", data=data.tobytes())


def _machine() -> Mapping[str, str | int]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
        "perception": perception.__version__,
    }


def _processor() -> str:
    """The processor's name; Linux keeps it here, and on ARM often has none."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(names, platform.processor() or platform.machine())
