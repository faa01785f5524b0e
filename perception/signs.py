"""Signs: frames or boxes of a frame in, which traffic sign each shows out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception import boxes, draw
from perception.boxes import Box
from perception.errors import FrameError
from perception.frames import Frame, check, resize
from perception.latency import NO_LAPS, Stopwatch
from perception.model import EngineModel

LIKELY = 0.5  # score of a detector: such a box shows a sign as often as not


@dataclass(frozen=True, repr=False)
class Sign:
    """What one crop shows; false if it is not a known sign.

    Attributes:
        class_id: index of the best class.
        label: its name.
        score: 0…1, calibrated: of the signs scored 0.9, nine in ten are right.
        known: 0…1, how sure it is that this is a sign of one of the known classes at all.
        is_known: ``known`` reaches the model's threshold, and for a box that a detector found, both together
            make it likelier a known sign than not.
        box: (x1, y1, x2, y2) in pixels of the frame, clipped to it; None for a whole frame.
        scores: (K,) float32 over all classes, read-only, summing to 1.
        latency_ms: by stage, for the call that this sign was part of.
        found: 0…1, the detector's score of the box; 1 for a box that somebody gave, or a whole frame.
    """

    class_id: int
    label: str
    score: float
    known: float
    is_known: bool
    box: Box | None
    scores: NDArray[np.float32] = field(compare=False)
    latency_ms: Mapping[str, float] = field(compare=False)
    found: float = 1.0

    @property
    def caption(self) -> str:
        """Name and score in a few characters; the score is rounded down, because 0.999 is not certain."""
        return f"{self.label} {int(self.score * 100)}%" if self else "unknown"

    @property
    def is_likely(self) -> bool:
        """It is known, or the detector would bet on it; what is not likely is not drawn."""
        return self.is_known or self.found >= LIKELY

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame with the sign's box and name drawn in."""
        return Signs((self,)).overlay(frame)

    def sightings(self) -> tuple[Sign, ...]:
        """The sign itself."""
        return (self,)

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
        """A copy of the frame with each sign's box and name drawn in, but for what is hardly a sign."""
        colors = {True: draw.KNOWN, False: draw.UNKNOWN}
        marks = [
            draw.Mark(sign.box, sign.caption, colors[bool(sign)]) for sign in self.signs if sign.is_likely
        ]
        return draw.overlay_boxes(frame, marks)

    def sightings(self) -> tuple[Sign, ...]:
        """The signs, known or not."""
        return self.signs

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


class SignClassifier(EngineModel):
    """Says which sign a picture shows.

    Args:
        engine: an opened model of task ``signs``.

    Raises:
        WrongTaskError: the model is for another task.
    """

    task = "signs"

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

    def classify_boxes(self, frame: Frame, boxes_xyxy: ArrayLike | None) -> Signs:
        """Classify parts of one frame in one engine call.

        Args:
            frame: (H, W, 3) uint8 BGR.
            boxes_xyxy: (M, 4) corners in pixels, tight around the sign; what is outside the frame is cut off.
                None takes the whole frame as one sign.

        Raises:
            FrameError: the frame is bad, or a box has no area within it (reason ``box``).
        """
        if boxes_xyxy is None:
            return self.classify([frame])
        watch = Stopwatch()
        check(frame)
        clipped = boxes.clip(boxes_xyxy, frame.shape[0], frame.shape[1])
        crops = [boxes.crop(frame, box, margin=self.spec.box_margin) for box in clipped]
        return self._classify(crops, clipped, watch)

    def _classify(self, frames: Sequence[Frame], regions: Sequence[Box | None], watch: Stopwatch) -> Signs:
        if not frames:
            return Signs()
        batch = self.prepare(frames)
        watch.lap("prepare")
        outputs = self.engine.infer(batch)
        watch.lap("infer")
        signs = self.finish(outputs, regions, latency_ms=watch.laps_ms)
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
        regions: Sequence[Box | None],
        *,
        latency_ms: Mapping[str, float] = NO_LAPS,
    ) -> Signs:
        """Last stage: the engine's outputs as results.

        Args:
            outputs: ``scores`` (N, K) and ``known`` (N,).
            regions: N boxes, or None for whole frames.
            latency_ms: is put into the results.
        """
        all_scores = outputs["scores"]
        all_scores.flags.writeable = False
        threshold = self.spec.threshold
        signs = []
        for scores, known, box in zip(all_scores, outputs["known"].tolist(), regions, strict=True):
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
