"""Model and Result: what every task's algorithm and its answer have in common.

Commands, reports and nodes know these protocols and never ask for a task by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perception.boxes import Box
from perception.engines.contract import Engine
from perception.errors import WrongTaskError
from perception.frames import Frame
from perception.spec import ModelSpec

Opened = TypeVar("Opened")


class Result(Protocol):
    """What a model says about one frame; frozen, its arrays read-only."""

    @property
    def latency_ms(self) -> Mapping[str, float]:
        """Milliseconds by stage."""

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame, (H, W, 3) uint8 BGR, with the result drawn in."""


class Sighting(Protocol):
    """One thing that a result names; false if its class is not known."""

    @property
    def label(self) -> str:
        """Its class."""

    @property
    def caption(self) -> str:
        """Class and score in a few characters."""

    def __bool__(self) -> bool: ...


@runtime_checkable
class Followed(Sighting, Protocol):
    """A thing that is followed from frame to frame."""

    @property
    def id(self) -> int:
        """The same in all frames."""

    @property
    def is_confirmed(self) -> bool:
        """Whether enough frames agree about its class."""

    @property
    def score(self) -> float:
        """0…1, how sure its class is."""


@runtime_checkable
class Placed(Sighting, Protocol):
    """A thing with its place in the frame."""

    @property
    def box(self) -> Box | None:
        """(x1, y1, x2, y2) in pixels; None for the whole frame."""


@runtime_checkable
class NamesThings(Protocol):
    """A result that names single things, such as signs."""

    def sightings(self) -> Sequence[Sighting]:
        """The things, known or not."""


@runtime_checkable
class HasShares(Protocol):
    """A result that says how much of the frame each label has, such as a mask."""

    def fractions(self) -> Mapping[str, float]:
        """Share of the frame by label, 0…1."""


@runtime_checkable
class LabelsPixels(Protocol):
    """A result that gives each pixel a label, such as a mask."""

    @property
    def class_ids(self) -> NDArray[np.uint8]:
        """(H, W); index into ``labels``, 255 where unlabelled."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""


class Model(Protocol):
    """A frame in, a result out. Use it with ``with``, or call ``close``."""

    @property
    def spec(self) -> ModelSpec:
        """What the model file says about itself."""

    @property
    def device(self) -> str:
        """Where the model runs: ``"cpu"``, ``"cuda"`` or ``"tensorrt"``."""

    def __call__(self, frame: Frame) -> Result:
        """Answer about a frame, (H, W, 3) uint8 BGR of any size.

        Raises:
            FrameError: the frame is not such an array.
        """

    def close(self) -> None:
        """Free the device's memory; the model cannot be called any more."""

    def __enter__(self: Opened) -> Opened: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ReadsBoxes(Protocol):
    """A model that answers about boxes of a frame, in one engine call."""

    def classify_boxes(self, frame: Frame, boxes_xyxy: ArrayLike | None) -> Result:
        """Answer about boxes, (M, 4) corners in pixels; None means the whole frame."""


class Follower(Protocol):
    """Answers about the frames of a stream, and knows which thing is which from frame to frame."""

    def follow(self, frame: Frame, boxes_xyxy: ArrayLike | None, stamp_ns: int) -> Result:
        """Answer about the next frame, and about the boxes, (M, 4) corners in pixels, that came with it."""

    def reset(self) -> None:
        """Forget all that was followed, as before another stream."""


class EngineModel:
    """The base of models that run on one engine.

    Args:
        engine: an opened model file.

    Raises:
        WrongTaskError: the file is for another task.
    """

    task: ClassVar[str]

    def __init__(self, engine: Engine) -> None:
        if engine.spec.task != self.task:
            raise WrongTaskError(
                f"{type(self).__name__} cannot use a model for {engine.spec.task!r}; "
                f"give it one for {self.task!r}"
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

    def close(self) -> None:
        """Free the device's memory; the model cannot be called any more."""
        self.engine.close()

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def answer(model: Model, frame: Frame, boxes_xyxy: ArrayLike | None) -> Result:
    """Ask a model about a frame, and about the boxes if it reads boxes; None means the whole frame."""
    return model.classify_boxes(frame, boxes_xyxy) if isinstance(model, ReadsBoxes) else model(frame)
