"""Bench: what one frame costs, stage by stage, from the JPEG of a camera driver to the result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.console import Console

import perception
from perception import frames
from perception.engines import builder
from perception.errors import DeviceError, InputError, WrongTaskError
from perception.latency import Latency
from perception.machine import machine
from perception.model import Model, ReadsBoxes, answer
from perception.recordings.sources import open_source
from perception.report import tables
from perception.tasks import TASKS, resolve

SIZE_HW = (720, 1280)
WARM_UP = 5
TURN = 10
BOX_PX = 64  # the side of a sign some ten metres away
_INPUT_FRAMES = 50  # of a file; they are kept in memory as JPEG and repeated


@dataclass(frozen=True)
class Timing:
    """What was measured of one model.

    Attributes:
        model: name of the file.
        task: of the model.
        input_hw: (height, width) in pixels of the model's input.
        device: where it ran.
        frame: size and kind of the frames, in words.
        boxes: how many boxes of each frame it answered about; None for the whole frame.
        frames: how many frames were timed.
        fps: frames per second, reading included.
        compared_with: path of the first model of the task; None for the first model itself.
        times_as_fast: the first model's median of ``infer`` over this one's.
        stages_ms: {stage: {"p50": …, "p95": …, "p99": …}}.
        machine: where it was measured, with the versions that matter.
    """

    model: str
    task: str
    input_hw: tuple[int, int]
    device: str
    frame: str
    boxes: int | None
    frames: int
    fps: float
    compared_with: str | None
    times_as_fast: float
    stages_ms: Mapping[str, Mapping[str, float]]
    machine: Mapping[str, str | int]

    def to_json(self) -> dict[str, Any]:
        """Ready for ``json.dumps``."""
        return asdict(self) | {"input_hw": list(self.input_hw)}


def bench(
    paths: Sequence[Path],
    *,
    count: int = 100,
    input_path: Path | None = None,
    topic: str | None = None,
    device: str = "auto",
    boxes: int | None = None,
    detector: Path | None = None,
    size_hw: tuple[int, int] = SIZE_HW,
) -> list[Timing]:
    """Time models on JPEG frames in turns of ten frames, so that other load slows all alike.

    Args:
        paths: ``.onnx`` files.
        count: timed frames of each model, after a few that are not timed.
        input_path: bag, video, folder or picture to take frames from; None generates one.
        topic: image topic of a bag; may be left out if there is only one.
        device: see ``perception.load``.
        boxes: number of boxes per frame for models that read boxes, in one call; None takes the whole frame.
        detector: an ``.onnx`` file that finds the boxes in each frame instead, which is timed, too.
        size_hw: of the frames that are generated.

    Returns:
        One for each model, in the same order.

    Raises:
        ModelError: a model cannot be used.
        InputError: the input has no usable frame.
    """
    models = [_open(path, detector, device) for path in paths]
    messages = [_jpeg(frame) for frame in _frames(input_path, topic, size_hw)]
    trials = [_Trial(model, messages, count, boxes, finds=detector is not None) for model in models]
    for trial in trials:
        trial.take(WARM_UP, timed=False)
    for taken in range(0, count, TURN):
        for trial in trials:
            trial.take(min(TURN, count - taken))
    height, width = frames.from_compressed(messages[0]).shape[:2]
    frame = f"{width}x{height} JPEG" + (f" from {input_path.name}" if input_path else "")
    firsts: dict[str, tuple[Path, float]] = {}  # of each task, with its milliseconds
    timings = []
    for path, trial in zip(paths, trials):
        stages = trial.latency.percentiles()
        infer_ms, *_ = stages.get("infer", stages["total"])  # a frame without signs is not read
        is_first = trial.model.spec.task not in firsts
        first, first_ms = firsts.setdefault(trial.model.spec.task, (path, infer_ms))
        compared_with = None if is_first else str(first)
        timings.append(trial.timing(path.name, frame, compared_with, round(first_ms / infer_ms, 2)))
        trial.model.close()
    return timings


def show(timings: Sequence[Timing], console: Console) -> None:
    """Print what was measured, a table for each model."""
    for timing in timings:
        boxes = f", {timing.boxes} boxes" if timing.boxes else ""
        line = f"{timing.model} on {timing.device}, {timing.frame}{boxes}: {timing.fps} frames/s"
        if timing.compared_with:
            line += f"; infer {timing.times_as_fast} times as fast as {timing.compared_with}"
        console.print(line, highlight=False, soft_wrap=True)
        console.print(tables.stages({stage: tuple(ms.values()) for stage, ms in timing.stages_ms.items()}))


class _Trial:
    """One model, timed on the messages again and again."""

    def __init__(
        self,
        model: Model,
        messages: Sequence[SimpleNamespace],
        count: int,
        boxes: int | None,
        *,
        finds: bool,
    ) -> None:
        self.model = model
        self.latency = Latency(window=count)
        self._messages = cycle(messages)
        self._count = count
        self._boxes = boxes if isinstance(model, ReadsBoxes) and not finds else None
        self._finds = finds
        self._seconds = 0.0

    def take(self, count: int, *, timed: bool = True) -> None:
        """Run this many frames."""
        begin = time.perf_counter()
        for message in islice(self._messages, count):
            start = time.perf_counter()
            frame = frames.from_compressed(message)
            read_ms = (time.perf_counter() - start) * 1000.0
            latency_ms = self._infer(frame)
            total_ms = (time.perf_counter() - start) * 1000.0
            if timed:
                self.latency.add({"read": read_ms, **latency_ms, "total": total_ms})
        if timed:
            self._seconds += time.perf_counter() - begin

    def timing(self, name: str, frame: str, compared_with: str | None, times_as_fast: float) -> Timing:
        """What was measured so far."""
        spec = self.model.spec
        return Timing(
            model=name,
            task=spec.task,
            input_hw=spec.input_hw,
            device=self.model.device,
            frame=frame,
            boxes=self._boxes,
            frames=self._count,
            fps=round(self._count / self._seconds, 2),
            compared_with=compared_with,
            times_as_fast=times_as_fast,
            stages_ms={
                stage: dict(zip(("p50", "p95", "p99"), (round(value, 3) for value in values)))
                for stage, values in self.latency.percentiles().items()
            },
            machine={
                **machine(),
                **_tensorrt(self.model.device),
                "onnxruntime": onnxruntime.__version__,
                "opencv": cv2.__version__,
                "perception": perception.__version__,
            },
        )

    def _infer(self, frame: frames.Frame) -> Mapping[str, float]:
        if self._finds:
            return self.model(frame).latency_ms
        if self._boxes is None:
            return answer(self.model, frame, None).latency_ms
        height, width = frame.shape[:2]
        side = min(height, width, BOX_PX)
        box = [(width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2]
        return answer(self.model, frame, [box] * self._boxes).latency_ms


def _tensorrt(device: str) -> Mapping[str, str]:
    """TensorRT's version, where a model ran on it by itself."""
    with contextlib.suppress(DeviceError):  # ONNX Runtime's provider needs no module for Python
        return {"tensorrt": builder.tensorrt().version} if device == "tensorrt" else {}
    return {}


def _open(path: Path, detector: Path | None, device: str) -> Model:
    model = perception.load(path, device=device)
    task = TASKS[model.spec.task]
    if detector is None or not task.reader:
        return model
    finder = perception.load(detector, device=device)
    if finder.spec.task != task.finder:
        raise WrongTaskError(f"{detector}: a model for {finder.spec.task!r} finds no boxes")
    reader: Model = resolve(task.reader)(finder, model)
    return reader


def _frames(path: Path | None, topic: str | None, size_hw: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    if path is None:
        yield _painted(size_hw)
        return
    shots = open_source(path, topic=topic, use_rois=False).shots()
    taken = 0
    for image in islice((shot.image for shot in shots if shot.image is not None), _INPUT_FRAMES):
        taken += 1
        yield image
    if not taken:
        raise InputError(f"{path}: not one usable frame")


def _painted(size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture that compresses about as a street does: smooth areas, edges and grain."""
    height, width = size_hw
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    smooth[height // 3 :: 97] += 60
    grain = random.normal(0, 6, (height, width, 3)).astype(np.int16)
    picture: NDArray[np.uint8] = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    return picture


def _jpeg(frame: NDArray[np.uint8]) -> SimpleNamespace:
    """A sensor_msgs/CompressedImage, as far as frames.from_compressed reads it."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return SimpleNamespace(format="bgr8; jpeg compressed bgr8", data=data.tobytes())
