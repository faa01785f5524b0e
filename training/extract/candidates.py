"""Candidates: the sharpest frame of each stretch of a drive, with what makes it worth labelling or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from perception.recordings.shots import Source

MOST = 4000  # candidates at a time; an hour of drive has a hundred thousand frames
GRAY_WIDTH = 160  # px of the picture whose sharpness is measured
LOOK_WH = (12, 9)  # px of the thumbnail that is a frame's look if no net gives one

Look = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A frame that may be worth labelling.

    Attributes:
        source: index of the input.
        index: of the frame in it, from 0.
        stamp_ns: when it was taken.
        sharpness: variance of the Laplacian of a small grey version; blurred frames have less.
        look: (D,) features; frames that look alike are near each other.
        unsure: 0…1 for each model, how little it knows what it sees.
    """

    source: int
    index: int
    stamp_ns: int
    sharpness: float
    look: Look
    unsure: tuple[float, ...]


@dataclass(frozen=True)
class Scan:
    """What the inputs hold.

    Attributes:
        candidates: in the order of the drive.
        frames: how many were read.
        bad: how many could not be decoded.
    """

    candidates: tuple[Candidate, ...]
    frames: int
    bad: int


Judge = Callable[[Frame], tuple[Look, tuple[float, ...]]]


def scan(sources: Iterable[Source], judge: Judge, seen: Callable[[], None], *, most: int = MOST) -> Scan:
    """Read all frames once and keep the sharpest of each stretch.

    Stretches begin with one frame. Whenever there are too many candidates, two neighbouring stretches become
    one. So memory is bounded, and frames of all parts of a drive are there, however long it is.

    Args:
        sources: the drives.
        judge: gives a frame's look, and how unsure each model is of it. It is asked about the sharpest frame
            of a stretch alone.
        seen: is called after each frame.
        most: candidates that are kept at a time.

    Raises:
        InputError: a source is damaged.
    """
    kept: list[Candidate] = []
    frames, bad, length = 0, 0, 1
    for number, source in enumerate(sources):
        stretch: list[tuple[float, int, int, Frame]] = []
        for index, shot in enumerate(source.shots()):
            frames += 1
            seen()
            if shot.image is None:
                bad += 1
                continue
            stretch.append((sharpness(shot.image), index, shot.stamp_ns, shot.image))
            if len(stretch) > 1:  # only the sharpest picture stays in memory
                stretch = [max(stretch, key=lambda one: one[0])]
            if (index + 1) % length == 0:
                kept += _judged(number, stretch, judge)
                stretch = []
            if len(kept) >= most:
                kept, length = list(_halved(kept)), 2 * length
        kept += _judged(number, stretch, judge)
    return Scan(tuple(kept), frames, bad)


def _judged(number: int, stretch: list[tuple[float, int, int, Frame]], judge: Judge) -> Iterator[Candidate]:
    for sharp, index, stamp_ns, image in stretch:
        look, unsure = judge(image)
        yield Candidate(number, index, stamp_ns, sharp, look, unsure)


def _halved(kept: list[Candidate]) -> Iterator[Candidate]:
    for start in range(0, len(kept), 2):
        yield max(kept[start : start + 2], key=lambda one: one.sharpness)


def sharpness(frame: Frame) -> float:
    """The variance of the Laplacian of a small grey version (Pech-Pacheco et al. 2000)."""
    height, width = frame.shape[:2]
    size = (GRAY_WIDTH, max(3, round(height * GRAY_WIDTH / width)))
    gray = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var())


def thumbnail(frame: Frame) -> Look:
    """A frame's look without a net: a few pixels, (D,) in 0…1."""
    small = cv2.resize(frame, LOOK_WH, interpolation=cv2.INTER_AREA)
    return np.asarray(small.ravel() / 255.0, np.float32)
