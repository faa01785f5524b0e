"""Shots: what every source gives, one camera frame at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.boxes import Roi, corners
from perception.errors import FrameError
from perception.frames import Frame


@dataclass(frozen=True)
class Controls:
    """What drove the car when a shot was taken.

    Attributes:
        steering: from -1 (left) to 1 (right); None if it was not recorded.
        throttle: from -1 (backwards) to 1; None if it was not recorded.
        mode: who drove, in the words of the recording: ``"user"``, or the name of a pilot's mode.
    """

    steering: float | None
    throttle: float | None
    mode: str


@dataclass(frozen=True)
class Shot:
    """One camera frame, or what was wrong with it.

    Attributes:
        stamp_ns: when it was taken; from the message's header, or counted from 0 for files.
        time_ns: when it was recorded; equal to the stamp for files.
        frame_id: of the header; empty for files.
        name: the topic, or the file's name.
        image: (H, W, 3) uint8 BGR; None if it is bad.
        error: why it is bad.
        rois: what to classify; None means the whole frame.
        read_ms: how long it took to decode.
        controls: what drove the car; None if the source does not say.
    """

    stamp_ns: int
    time_ns: int
    frame_id: str
    name: str
    image: NDArray[np.uint8] | None
    error: FrameError | None
    rois: tuple[Roi, ...] | None
    read_ms: float
    controls: Controls | None = None

    @property
    def boxes(self) -> NDArray[np.float64] | None:
        """The corners of ``rois``, (N, 4) xyxy px; None means the whole frame.

        Raises:
            FrameError: box, if there are too many.
        """
        return None if self.rois is None else corners(self.rois)


@dataclass(frozen=True)
class Source:
    """A bag, a tub, a video or pictures, as shots.

    Attributes:
        name: for people.
        count: how many shots it says it has; a damaged one may have fewer.
        rate_hz: shots per second.
        end_ns: the time of recording at its end.
        shots: opens it and reads it once, from start to end. Raises InputError where it is damaged.
        has_clock: whether its times are those of a computer's clock, which may have been set meanwhile.
        is_stream: whether its shots follow one another in time; pictures of a folder do not.
        box_topic: the topic whose boxes its shots have; empty if they have none.
        unused_boxes: its other topics with boxes, as a detector sends them.
    """

    name: str
    count: int
    rate_hz: float
    end_ns: int
    shots: Callable[[], Iterator[Shot]]
    has_clock: bool = False
    is_stream: bool = True
    box_topic: str = ""
    unused_boxes: tuple[str, ...] = ()


def attempt(decode: Callable[[Any], Frame], item: Any) -> tuple[Frame | None, FrameError | None, float]:
    """The decoded item, or why it cannot be decoded, and how many ms this took."""
    image: Frame | None = None
    problem: FrameError | None = None
    begin = time.perf_counter()
    try:
        image = decode(item)
    except FrameError as error:
        problem = error
    return image, problem, (time.perf_counter() - begin) * 1000.0
