"""Signs: frames or boxes of a frame in, what traffic sign each shows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception import draw
from perception.engines import Engine
from perception.errors import FrameError, WrongTaskError
from perception.frames import Frame, check, resize
from perception.latency import NO_LAPS, Stopwatch
from perception.spec import ModelSpec

Box = tuple[float, float, float, float]


@dataclass(frozen=True, repr=False)
class Sign:
    """What one crop shows; false when it is not a known sign.

    Attributes:
        class_id: index of the best class.
        label: its name.
        score: 0…1, calibrated: of the signs scored 0.9, nine in ten are right.
        known: 0…1, that it is a sign of one of the known classes at all.
        is_known: ``known`` reaches the model's threshold.
        box: (x1, y1, x2, y2) in pixels of the frame, clipped to it; None for a whole frame.
        scores: (K,) float32 over all classes, read-only, summing to 1.
        latency_ms: by stage, for the call that this sign was part of.
    """

    class_id: int
    label: str
    score: float
    known: float
    is_known: bool
    box: Box | None
    scores: NDArray[np.float32] = field(compare=False)
    latency_ms: Mapping[str, float] = field(compare=False)

    def __bool__(self) -> bool:
        return self.is_known

    def __repr__(self) -> str:
        score, known = f"{self.score:.3f}", f"{self.known:.2f}"
        return f'Sign(class_id={self.class_id}, label="{self.label}", score={score}, known={known})'


@dataclass(frozen=True)
class Signs(Sequence[Sign]):
    """The signs of one call, in the order of its frames or boxes.

    Attributes:
        latency_ms: by stage, for the whole call; empty if there was nothing to do.
    """

    signs: tuple[Sign, ...] = ()
    latency_ms: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame with each sign's box and name drawn in."""
        return draw.overlay_signs(frame, self)

    def __len__(self) -> int:
        return len(self.signs)

    def __iter__(self) -> Iterator[Sign]:
        return iter(self.signs)

    @overload
    def __getitem__(self, index: int) -> Sign: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sign, ...]: ...
    def __getitem__(self, index: int | slice) -> Sign | tuple[Sign, ...]:
        return self.signs[index]


class SignClassifier:
    """Says which sign a picture shows.

    Args:
        engine: an opened model of task ``signs``.

    Raises:
        WrongTaskError: the model is for another task.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.spec.task != "signs":
            raise WrongTaskError(
                f"a model for {engine.spec.task!r} cannot classify signs; give one for 'signs'"
            )
        self.engine = engine

    @property
    def spec(self) -> ModelSpec:
        """What the model file says about itself."""
        return self.engine.spec

    @property
    def device(self) -> str:
        """Where the model runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``."""
        return self.engine.device

    def __call__(self, frame: Frame) -> Sign:
        """Classify one whole frame, (H, W, 3) uint8 BGR of any size.

        Raises:
            FrameError: the frame is not such an array.
        """
        return self.classify([frame])[0]

    def classify(self, frames: Sequence[Frame]) -> Signs:
        """Classify whole frames in one engine call; they may differ in size.

        Raises:
            FrameError: one of the frames is not an (H, W, 3) uint8 array.
        """
        if isinstance(frames, np.ndarray) and frames.ndim == 3:
            raise FrameError(
                "data", "this is one frame; call the classifier itself, or give a list of frames"
            )
        return self._classify(list(frames), [None] * len(frames), Stopwatch())

    def classify_boxes(self, frame: Frame, boxes_xyxy: ArrayLike) -> Signs:
        """Classify parts of one frame in one engine call.

        Args:
            frame: (H, W, 3) uint8 BGR.
            boxes_xyxy: (M, 4) corners in pixels, tight around the sign; what is outside the frame is cut off.

        Raises:
            FrameError: bad frame, or (``box``) a box that has no area within the frame.
        """
        watch = Stopwatch()
        check(frame)
        boxes = clip_boxes(boxes_xyxy, frame.shape[0], frame.shape[1])
        return self._classify([self._crop(frame, box) for box in boxes], boxes, watch)

    def _crop(self, frame: Frame, box: Box) -> Frame:
        """Cut out a box with as much around it as the training crops have; a view."""
        x1, y1, x2, y2 = box
        dx, dy = self.spec.box_margin * (x2 - x1), self.spec.box_margin * (y2 - y1)
        height, width = frame.shape[:2]
        return frame[_pixels(y1 - dy, y2 + dy, height), _pixels(x1 - dx, x2 + dx, width)]

    def _classify(self, frames: Sequence[Frame], boxes: Sequence[Box | None], watch: Stopwatch) -> Signs:
        if not frames:
            return Signs()
        batch = self.prepare(frames)
        watch.lap("prepare")
        outputs = self.engine.infer(batch)
        watch.lap("infer")
        signs = self.finish(outputs, boxes, latency_ms=watch.laps_ms)
        watch.lap("finish")
        return signs

    def prepare(self, frames: Sequence[Frame]) -> Frame:
        """First stage: (N, H, W, 3) uint8 for the engine, out of N frames of any size."""
        batch = np.empty((len(frames), *self.spec.input_hw, 3), np.uint8)
        for row, frame in zip(batch, frames, strict=True):
            check(frame)
            resize(frame, self.spec.input_hw, out=row)
        return batch

    def finish(
        self,
        outputs: Mapping[str, NDArray[Any]],
        boxes: Sequence[Box | None],
        *,
        latency_ms: Mapping[str, float] = NO_LAPS,
    ) -> Signs:
        """Last stage: the engine's outputs as results.

        Args:
            outputs: ``scores`` (N, K) and ``known`` (N,).
            boxes: N boxes, or None for whole frames.
            latency_ms: is put into the results.
        """
        all_scores = outputs["scores"]
        all_scores.flags.writeable = False
        threshold = self.spec.threshold
        signs = []
        for scores, known, box in zip(all_scores, outputs["known"].tolist(), boxes, strict=True):
            class_id = int(scores.argmax())
            signs.append(
                Sign(
                    class_id=class_id,
                    label=self.spec.labels[class_id],
                    score=float(scores[class_id]),
                    known=known,
                    is_known=known >= threshold,
                    box=box,
                    scores=scores,
                    latency_ms=latency_ms,
                )
            )
        return Signs(tuple(signs), latency_ms)


def _pixels(low: float, high: float, size: int) -> slice:
    """The whole pixels between two places on an axis, two at least: a sliver at the border is a box, too."""
    start = max(0, min(int(low), size - 2))
    return slice(start, max(start + 2, ceil(high)))


def clip_boxes(boxes_xyxy: ArrayLike, height: int, width: int) -> list[Box]:
    """Cut boxes at the border of a frame.

    Args:
        boxes_xyxy: (M, 4) corners in pixels.

    Raises:
        FrameError: reason ``box``: not (M, 4) finite numbers, or a box has no area within the frame.
    """
    try:
        boxes = np.asarray(boxes_xyxy, np.float64)
    except (TypeError, ValueError) as error:
        raise FrameError("box", f"boxes are no numbers, four for each box ({error})") from error
    if boxes.size == 0:
        return []
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise FrameError("box", f"boxes have shape {boxes.shape}; (M, 4) as x1, y1, x2, y2 is needed")
    clipped = np.clip(boxes, 0, (width, height, width, height))
    finite = [all(map(isfinite, box)) for box in boxes.tolist()]
    for box, (x1, y1, x2, y2), is_finite in zip(boxes.tolist(), clipped.tolist(), finite, strict=True):
        if not (is_finite and x1 < x2 and y1 < y2):
            raise FrameError("box", f"box {box} has no area within a frame of {width}x{height} pixels")
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in clipped.tolist()]
