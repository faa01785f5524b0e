"""Sequences: a drive towards a sign, made out of one street picture with known boxes.

A virtual camera pans and zooms over the picture, so that every sign in it grows and moves as if the car drove
on, and the true boxes are known in each frame. Frames come at irregular intervals and some are missing; bumps
blur them, the exposure steps, and something passes before the sign. The same seed makes the same frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.boxes import Box
from perception.frames import Frame
from training.detection.camera import Approach

RATES_HZ = (10.0, 30.0)
JITTER = 0.25  # of the interval
DROPPED = 0.08  # share of the frames that never arrive
STALL_S = (0.2, 0.4)  # once a sequence, no frame arrives for so long
SHAKE = 0.003  # of the width, per frame
BUMP_SHAKE = 4.0  # times as much in a bump
BUMPS_PER_S, BUMP_S = 0.6, (0.2, 0.5)
BUMP_BLUR = (0.006, 0.016)  # length of the blur, in shares of the width
SHUTTER_S = 0.02  # what the camera's own movement blurs
STEPS_PER_S, STEP_DECAY_S = 0.3, 0.4
STEP_GAINS = (0.3, 0.45, 1.8, 2.5)
PASSING_S = (0.3, 0.7)
PASSING_WIDTH = 1.3  # of the sign
NOISE = 3.0  # grey levels


@dataclass(frozen=True)
class TrueSign:
    """What is really in a frame.

    Attributes:
        id: its number in the sequence.
        label: its class.
        box: in pixels of the frame, cut at its border.
        visible: share of it that is within the frame and not hidden.
    """

    id: int
    label: str
    box: Box
    visible: float


@dataclass(frozen=True)
class Shot:
    """One frame of a sequence.

    Attributes:
        frame: (H, W, 3) uint8 BGR.
        stamp_ns: when it was taken.
        signs: those of which something is within the frame.
        blur_px: length of the motion blur.
        gain: of the exposure; 1 is right.
    """

    frame: Frame
    stamp_ns: int
    signs: tuple[TrueSign, ...]
    blur_px: float
    gain: float


@dataclass(frozen=True)
class _Event:
    start_s: float
    length_s: float
    value: float


def sequence(
    picture: Frame, boxes: Sequence[Box], labels: Sequence[str], *, target: int, seed: int
) -> Iterator[Shot]:
    """Drive towards one of the signs of a picture.

    Args:
        picture: (H, W, 3) uint8 BGR.
        boxes: (x1, y1, x2, y2) in pixels of every sign in it.
        labels: their classes.
        target: index of the sign to drive towards.
        seed: makes everything else.

    Yields:
        The frames that arrive, in order.
    """
    rng = np.random.default_rng(seed)
    drive = Approach(picture, boxes[target], rng)
    stamps = _stamps(drive.length_s, rng)
    bumps = _events(drive.length_s, BUMPS_PER_S, BUMP_S, BUMP_BLUR, rng)
    steps = _events(drive.length_s, STEPS_PER_S, (9.0, 9.0), (0.0, float(len(STEP_GAINS))), rng)
    passing = _Event(rng.uniform(0.35, 0.8) * drive.approach_s, rng.uniform(*PASSING_S), rng.choice((-1, 1)))
    cloth = _cloth(picture, rng)
    start_ns = int(rng.integers(1, 10**18))
    for seconds in stamps:
        bump = max([b.value for b in bumps if _runs(b, seconds)], default=0.0)
        view, speed = drive.view(seconds, rng.normal(0.0, SHAKE * (BUMP_SHAKE if bump else 1.0), 2))
        frame = view.render(drive.pyramid)
        where = [view.box(box) for box in boxes]
        hidden = _pass_by(frame, where[target], cloth, passing, seconds)
        swing = abs(speed) * SHUTTER_S
        blur = max(swing, bump * view.width)
        # A bump blurs up and down, a swing along.
        angle = float(rng.normal(90.0, 20.0)) if blur > swing else 0.0
        gain = _gain(steps, seconds)
        frame = _expose(_blur(frame, blur, angle), gain, rng)
        signs = [
            TrueSign(number, labels[number], cut, visible)
            for number, box in enumerate(where)
            if (cut := _cut(box, frame.shape)) and (visible := _visible(box, cut, hidden)) >= 0
        ]
        yield Shot(frame, start_ns + round(seconds * 1e9), tuple(signs), blur, gain)


def _stamps(length_s: float, rng: np.random.Generator) -> list[float]:
    """When frames arrive: irregular, some dropped, and none during the stall."""
    interval = 1 / rng.uniform(*RATES_HZ)
    stall, stall_s = rng.uniform(0.2, 0.8) * length_s, rng.uniform(*STALL_S)
    stamps, now = [], 0.0
    while now < length_s:
        if rng.random() >= DROPPED and not stall <= now < stall + stall_s:
            stamps.append(now)
        now += interval * rng.uniform(1 - JITTER, 1 + JITTER)
    return stamps


def _events(
    length_s: float,
    per_s: float,
    lasts_s: tuple[float, float],
    values: tuple[float, float],
    rng: np.random.Generator,
) -> list[_Event]:
    starts = rng.uniform(0, length_s, rng.poisson(per_s * length_s))
    return [
        _Event(float(s), float(rng.uniform(*lasts_s)), float(rng.uniform(*values))) for s in sorted(starts)
    ]


def _runs(event: _Event, seconds: float) -> bool:
    return event.start_s <= seconds < event.start_s + event.length_s


def _gain(steps: Sequence[_Event], seconds: float) -> float:
    """The last step counts; the camera corrects it in a while."""
    begun = [step for step in steps if step.start_s <= seconds]
    if not begun:
        return 1.0
    gain = STEP_GAINS[int(begun[-1].value)]
    return float(gain ** exp(-(seconds - begun[-1].start_s) / STEP_DECAY_S))


def _cloth(picture: Frame, rng: np.random.Generator) -> Frame:
    """What passes before the sign: the picture's own lower part, so that no sign is in it."""
    height, width = picture.shape[:2]
    x = int(rng.integers(0, max(1, width - width // 8)))
    return picture[height - height // 5 :, x : x + width // 8]


def _pass_by(frame: Frame, target: Box, cloth: Frame, passing: _Event, seconds: float) -> Box | None:
    """Draw what passes into the frame; returns where."""
    if not _runs(passing, seconds):
        return None
    x1, y1, x2, y2 = target
    width = PASSING_WIDTH * (x2 - x1)
    way = ((seconds - passing.start_s) / passing.length_s - 0.5) * 2 * passing.value
    middle = (x1 + x2) / 2 + way * (width + x2 - x1) / 2
    left, right = round(middle - width / 2), round(middle + width / 2)
    top, bottom = round(y1 - 0.3 * (y2 - y1)), frame.shape[0]
    left, right, top = max(left, 0), min(right, frame.shape[1]), max(top, 0)
    if left >= right or top >= bottom:
        return None
    frame[top:bottom, left:right] = cv2.resize(
        cloth, (right - left, bottom - top), interpolation=cv2.INTER_AREA
    )
    return (left, top, right, bottom)


def _blur(frame: Frame, length_px: float, degrees: float) -> Frame:
    """Smear along a line; less than a pixel and a half is not seen."""
    if length_px < 1.5:
        return frame
    side = 2 * int(np.ceil(length_px / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    middle, angle = side // 2, np.radians(degrees)
    for step in np.linspace(-length_px / 2, length_px / 2, 4 * side):
        kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] += 1
    return np.asarray(cv2.filter2D(frame, -1, kernel / kernel.sum()), np.uint8)


def _expose(frame: Frame, gain: float, rng: np.random.Generator) -> Frame:
    noise: NDArray[np.float32] = rng.standard_normal(frame.shape, np.float32) * NOISE
    return np.asarray(np.clip(frame * np.float32(gain) + noise, 0, 255), np.uint8)


def _cut(box: Box, shape: tuple[int, ...]) -> Box | None:
    x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], shape[1]), min(box[3], shape[0])
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def _visible(box: Box, cut: Box, hidden: Box | None) -> float:
    shown = _area(cut)
    if hidden:
        x1, y1, x2, y2 = (
            max(cut[0], hidden[0]),
            max(cut[1], hidden[1]),
            min(cut[2], hidden[2]),
            min(cut[3], hidden[3]),
        )
        shown -= max(0.0, x2 - x1) * max(0.0, y2 - y1)
    return shown / _area(box)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def size_px(box: Box) -> float:
    """Side of a square as large as the box."""
    return sqrt(_area(box))
