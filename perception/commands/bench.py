"""Bench: what one frame costs, stage by stage, from the JPEG of a camera driver to the result."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

import perception
from perception import Segmenter, SignClassifier, frames
from perception.errors import InputError
from perception.latency import Latency
from perception.recordings.sources import open_source

SIZE_HW = (720, 1280)
WARM_UP = 5
TURN = 10
BOX_PX = 64  # the side of a sign some ten metres away
_INPUT_FRAMES = 50  # of a file; they are held in memory as JPEG, and repeat


def bench(
    models: Sequence[Path],
    *,
    count: int = 100,
    input_path: Path | None = None,
    topic: str | None = None,
    device: str = "auto",
    boxes: int | None = None,
) -> list[dict[str, Any]]:
    """Time models on JPEG frames, taking turns of ten frames: what else the machine does hits all alike.

    Args:
        models: ``.onnx`` files.
        count: timed frames of each, after a few that are not.
        input_path: bag, video, folder or picture to take frames from; None paints one.
        topic: image topic of a bag; may be left out where there is one.
        device: see ``perception.load``.
        boxes: classifiers get so many boxes of each frame, in one call; None gives them the whole frame.

    Returns:
        What was measured and where, ready for JSON, one a model; ``stages_ms`` maps a stage to p50, p95 and
        p99, and ``times_as_fast`` compares the median of ``infer`` with that of the first model of its task,
        ``compared_with``; that one has None there.

    Raises:
        ModelError: a model cannot be used.
        InputError: the input has no usable frame.
    """
    runs = [perception.load(model, device=device) for model in models]
    messages = [_jpeg(frame) for frame in _frames(input_path, topic)]
    trials = [_Trial(run, messages, count, boxes) for run in runs]
    for trial in trials:
        trial.take(WARM_UP, timed=False)
    for taken in range(0, count, TURN):
        for trial in trials:
            trial.take(min(TURN, count - taken))
    height, width = frames.from_compressed(messages[0]).shape[:2]
    source = f" from {input_path.name}" if input_path else ""
    results: list[dict[str, Any]] = []
    firsts: dict[str, tuple[Path, float]] = {}  # of each task, with its milliseconds
    for model, run, trial in zip(models, runs, trials):
        stages = trial.latency.percentiles()
        infer_ms, *_ = stages["infer"]
        is_first = run.spec.task not in firsts
        first, first_ms = firsts.setdefault(run.spec.task, (model, infer_ms))
        results.append(
            {
                "model": model.name,
                "task": run.spec.task,
                "input_hw": list(run.spec.input_hw),
                "device": run.device,
                "frame": f"{width}x{height} JPEG{source}",
                "boxes": boxes if isinstance(run, SignClassifier) else None,
                "frames": count,
                "fps": round(count / trial.seconds, 2),
                "compared_with": None if is_first else str(first),
                "times_as_fast": round(first_ms / infer_ms, 2),
                "stages_ms": {
                    stage: dict(zip(("p50", "p95", "p99"), (round(value, 3) for value in values)))
                    for stage, values in stages.items()
                },
                "machine": _machine(),
            }
        )
    return results


class _Trial:
    """One model on its way through the messages, again and again."""

    def __init__(
        self,
        run: SignClassifier | Segmenter,
        messages: Sequence[SimpleNamespace],
        count: int,
        boxes: int | None,
    ) -> None:
        self.run = run
        self.messages = cycle(messages)
        self.boxes = boxes
        self.latency = Latency(window=count)
        self.seconds = 0.0

    def take(self, count: int, *, timed: bool = True) -> None:
        """Go through so many frames."""
        begin = time.perf_counter()
        for message in islice(self.messages, count):
            start = time.perf_counter()
            frame = frames.from_compressed(message)
            read_ms = (time.perf_counter() - start) * 1000.0
            latency_ms = self._infer(frame)
            total_ms = (time.perf_counter() - start) * 1000.0
            if timed:
                self.latency.add({"read": read_ms, **latency_ms, "total": total_ms})
        if timed:
            self.seconds += time.perf_counter() - begin

    def _infer(self, frame: frames.Frame) -> Mapping[str, float]:
        if self.boxes and isinstance(self.run, SignClassifier):
            height, width = frame.shape[:2]
            side = min(height, width, BOX_PX)
            box = [(width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2]
            return self.run.classify_boxes(frame, [box] * self.boxes).latency_ms
        return self.run(frame).latency_ms


def _frames(path: Path | None, topic: str | None) -> Iterator[NDArray[np.uint8]]:
    if path is None:
        yield _painted()
        return
    shots = open_source(path, topic=topic, use_rois=False).shots()
    taken = 0
    for image in islice((shot.image for shot in shots if shot.image is not None), _INPUT_FRAMES):
        taken += 1
        yield image
    if not taken:
        raise InputError(f"{path}: not one usable frame")


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
