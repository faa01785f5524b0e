"""Segmentation: a frame in, the class of every pixel out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import draw
from perception.engines.checks import check_class_ids
from perception.frames import Frame, check, resize
from perception.latency import NO_LAPS, Stopwatch
from perception.model import EngineModel
from perception.spec import Color


@dataclass(frozen=True, repr=False, eq=False)
class RoadMask:
    """The class of every pixel of one frame.

    The result owns its arrays, which are read-only; copy them to alter them.

    Attributes:
        class_ids: (H, W) uint8; index into ``labels``, 255 where unlabelled.
        confidence: (H, W) uint8; 0…255 for 0…1.
        labels: class names.
        palette: one (R, G, B) per label.
        latency_ms: by stage.
    """

    class_ids: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    labels: tuple[str, ...]
    palette: tuple[Color, ...]
    latency_ms: Mapping[str, float] = field(default_factory=dict)

    def fraction(self, label: str) -> float:
        """The share of all pixels that carry a label, 0…1.

        Raises:
            KeyError: the model has no such label; the message lists those it has.
        """
        if label not in self.labels:
            raise KeyError(f"no label {label!r}; this model has {', '.join(self.labels)}")
        return self.fractions()[label]

    def fractions(self) -> dict[str, float]:
        """The share of all pixels by label; unlabelled pixels have no entry."""
        shares = draw.count_class_ids(self.class_ids) / self.class_ids.size
        return dict(zip(self.labels, shares[: len(self.labels)].tolist(), strict=True))

    def overlay(self, frame: Frame, *, alpha: float = 0.5, legend: bool = True) -> Frame:
        """A copy of the frame, coloured by class; the mask is scaled to the frame where sizes differ.

        Args:
            frame: (H, W, 3) uint8 BGR.
            alpha: 0 shows the frame alone, 1 the colours alone.
            legend: name the colours, with the share of each.
        """
        return draw.overlay_mask(frame, self.class_ids, self.labels, self.palette, alpha=alpha, legend=legend)

    def __repr__(self) -> str:
        height, width = self.class_ids.shape
        largest = sorted(self.fractions().items(), key=lambda item: -item[1])[:3]
        return f"RoadMask({width}x{height}, {', '.join(f'{label} {share:.0%}' for label, share in largest)})"


class Segmenter(EngineModel):
    """Says what every pixel of a frame belongs to.

    Args:
        engine: an opened model of task ``segmentation``.

    Raises:
        WrongTaskError: the model is for another task.
    """

    task = "segmentation"

    def __call__(self, frame: Frame, *, size: Literal["frame", "model"] = "frame") -> RoadMask:
        """Segment one frame.

        Args:
            frame: (H, W, 3) uint8 BGR of any size.
            size: ``"frame"`` gives the mask at the frame's size, ``"model"`` at ``spec.input_hw``, which
                is faster.

        Raises:
            FrameError: the frame is not such an array.
            LabelMismatchError: the model gave a class id that has no label.
            ValueError: ``size`` is neither.
        """
        if size not in ("frame", "model"):
            raise ValueError(f"size is {size!r}; it must be 'frame' or 'model'")
        watch = Stopwatch()
        batch = self.prepare(frame)
        watch.lap("prepare")
        outputs = self.engine.infer(batch)
        watch.lap("infer")
        size_hw = self.spec.input_hw if size == "model" else frame.shape[:2]
        road = self.finish(outputs, size_hw, latency_ms=watch.laps_ms)
        watch.lap("finish")
        return road

    def prepare(self, frame: Frame) -> Frame:
        """First stage: (1, H, W, 3) uint8 for the engine, out of a frame of any size."""
        check(frame)
        return np.ascontiguousarray(resize(frame, self.spec.input_hw))[np.newaxis]

    def finish(
        self,
        outputs: Mapping[str, NDArray[Any]],
        size_hw: tuple[int, int],
        *,
        latency_ms: Mapping[str, float] = NO_LAPS,
    ) -> RoadMask:
        """Last stage: the engine's outputs as a result.

        Args:
            outputs: ``mask`` and ``confidence``, (1, H, W).
            size_hw: what to scale them to; class ids by the nearest pixel, because they cannot be mixed.
            latency_ms: is put into the result.

        Raises:
            LabelMismatchError: the mask holds a class id that has no label.
        """
        class_ids, confidence = outputs["mask"][0], outputs["confidence"][0]
        check_class_ids(self.spec, class_ids, where="segmentation model")
        if class_ids.shape != size_hw:
            height, width = size_hw
            class_ids = cv2.resize(class_ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            confidence = cv2.resize(confidence, (width, height), interpolation=cv2.INTER_LINEAR)
        class_ids.flags.writeable = False
        confidence.flags.writeable = False
        return RoadMask(class_ids, confidence, self.spec.labels, self.spec.palette, latency_ms)
