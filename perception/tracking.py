"""Tracking: the signs of one frame after the other in, which of them are the same and what they are out.

A small Kalman filter per sign says where it will be. What the classifier says about it in each frame is
added up as log-odds, so that one blurred frame does not change what a sign is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, isfinite, log
from typing import overload

import numpy as np
from numpy.typing import NDArray

from perception import draw
from perception.boxes import Box
from perception.frames import Frame
from perception.latency import Stopwatch
from perception.motion import ConstantVelocity, Vector, assign, to_box, to_state
from perception.signs import Sign, Signs
from perception.spec import ModelSpec


@dataclass(frozen=True)
class Constants:
    """Everything the tracker decides by. Lengths are in sizes of the sign, so a camera's pixels do not matter.

    Attributes:
        box_noise: standard deviation of a detector's box, in sizes of the sign and in log size.
        speed: of a new sign whose movement is unknown, in sizes a second.
        turn: of the camera, in shares of the picture a second: what it adds to the speed of every sign.
        acceleration: noise of the speed, in sizes a second, per root second.
        turn_acceleration: the same of the camera, in shares of the picture.
        growth: speed of the log size, a second.
        growth_acceleration: noise of it, per root second.
        gate: largest squared distance in standard deviations; 4 numbers are above 25 in one case of 20,000.
        novelty: log-odds that a box is no new sign, on top of the size of the picture.
        independent_s: frames so far apart count in full; closer ones see nearly the same and count less.
        least_share: what a frame counts at least.
        clear_size: px of the smaller side at which a classifier sees enough; smaller signs count less.
        doubt: share of a class probability that is spread over all classes, because a sure one can be wrong.
        class_step: largest log-odds between two classes that one frame gives.
        class_bound: largest log-odds between two classes, so that a mistake can be corrected in a few frames.
        switch: by how much another class must lead before the label changes.
        known_step: largest log-odds of being a known sign that one frame gives.
        known_bound: largest of all frames together.
        confirm_frames: frames that a sign must have been seen in.
        confirm_known: log-odds of being a known sign, to be confirmed.
        confirm_lead: log-odds before the second class, to be confirmed.
        refuse: log-odds of being a known sign below which a confirmed one ends.
        stay_s: how long a confirmed sign that is not seen stays.
        wait_s: how long an unconfirmed one does.
        wait_frames: frames that both stay at least, because slow cameras see little in that time.
        forget_s: no sign stays longer than that, however slow the camera is.
        inside: share of a predicted box that must be in the picture, else the sign has left it.
        back_s: stamps that go back further start everything anew.
    """

    box_noise: float = 0.08
    speed: float = 2.0
    turn: float = 0.2
    acceleration: float = 3.0
    turn_acceleration: float = 0.3
    growth: float = 1.0
    growth_acceleration: float = 1.0
    gate: float = 25.0
    novelty: float = 3.0
    independent_s: float = 0.1
    least_share: float = 0.25
    clear_size: float = 24.0
    doubt: float = 0.1
    class_step: float = 3.0
    class_bound: float = 8.0
    switch: float = 2.0
    known_step: float = 2.5
    known_bound: float = 6.0
    confirm_frames: int = 2
    confirm_known: float = 2.5
    confirm_lead: float = 3.0
    refuse: float = -2.0
    stay_s: float = 0.8
    wait_s: float = 0.35
    wait_frames: int = 2
    forget_s: float = 3.0
    inside: float = 0.3
    back_s: float = 1.0


CONSTANTS = Constants()


@dataclass(frozen=True, repr=False)
class Track:
    """One physical sign, followed from frame to frame; false if it is not a known sign.

    Attributes:
        id: 1, 2, …; a tracker gives no id twice, also not after a reset.
        class_id: index of its class; -1 while nothing is known.
        label: its name; empty while nothing is known.
        score: 0…1, probability of the class after all frames; 0 while nothing is known.
        box: (x1, y1, x2, y2) in pixels, the estimate of all frames; where it will be if it is not seen now.
        is_confirmed: enough frames agree that it is a sign of this class.
        is_seen: it was found in this frame.
        age_s: seconds since it was first seen.
        sign: what was last read.
    """

    id: int
    class_id: int
    label: str
    score: float
    box: Box
    is_confirmed: bool
    is_seen: bool
    age_s: float
    sign: Sign = field(compare=False)

    @property
    def caption(self) -> str:
        """Id, name and score in a few characters; the score is rounded down, as a sign's."""
        return f"#{self.id} {self.label} {int(self.score * 100)}%" if self else f"#{self.id} unknown"

    def __bool__(self) -> bool:
        return self.label != ""

    def __repr__(self) -> str:
        state = "confirmed" if self.is_confirmed else "unconfirmed"
        return f'Track(id={self.id}, label="{self.label}", score={self.score:.3f}, {state})'


@dataclass(frozen=True)
class Tracks(Sequence[Track]):
    """The signs in view after a frame: those seen in it, and confirmed ones that are hidden for a moment.

    Attributes:
        tracks: in the order of their ids.
        signs: what was read in this frame.
        seen: the track of each of these signs, in their order; None for one that belongs to none.
        confirmed: tracks that this frame confirmed, or that it gave another class.
        left: confirmed tracks that ended with this frame, or whose class ended.
        latency_ms: by stage, the reading included.
    """

    tracks: tuple[Track, ...] = ()
    signs: Signs = field(default_factory=Signs)
    seen: tuple[Track | None, ...] = ()
    confirmed: tuple[Track, ...] = ()
    left: tuple[Track, ...] = ()
    latency_ms: Mapping[str, float] = field(default_factory=dict, repr=False, compare=False)

    @property
    def current(self) -> tuple[Track, ...]:
        """What applies now: the confirmed signs, the nearest, which is the largest, first."""
        return tuple(sorted((track for track in self.tracks if track.is_confirmed), key=_area, reverse=True))

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame with each track's box, id and name drawn in."""
        colors = {True: draw.KNOWN, False: draw.UNKNOWN}
        marks = [draw.Mark(track.box, track.caption, colors[bool(track)]) for track in self.tracks]
        return draw.overlay_boxes(frame, marks)

    def sightings(self) -> tuple[Track, ...]:
        """The tracks, known or not."""
        return self.tracks

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[Track]:
        return iter(self.tracks)

    @overload
    def __getitem__(self, index: int) -> Track: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Track, ...]: ...
    def __getitem__(self, index: int | slice) -> Track | tuple[Track, ...]:
        return self.tracks[index]


class SignTracker:
    """Follows signs through a stream.

    Args:
        spec: of the classifier: its labels and its threshold of ``known``.
        constants: what it decides by.
    """

    def __init__(self, spec: ModelSpec, constants: Constants = CONSTANTS) -> None:
        self.spec = spec
        self.constants = constants
        self._followed: list[_Followed] = []
        self._last_id = 0
        self._now_ns: int | None = None
        self._extent = 1.0

    def reset(self) -> None:
        """Forget all tracks, as after a jump in time; ids go on."""
        self._followed = []
        self._now_ns = None
        self._extent = 1.0

    def update(self, signs: Signs, stamp_ns: int, *, size_hw: tuple[int, int] | None = None) -> Tracks:
        """Take in what was read in one frame.

        Args:
            signs: the signs found in the frame; those without a box are not followed.
            stamp_ns: when the frame was taken. One a little older than the last is used without moving time
                back; one that is much older starts everything anew.
            size_hw: of the frame, if it is known; signs that leave it to the right or below are then gone at once.
        """
        watch = Stopwatch()
        left = self._move_on(stamp_ns, size_hw)
        usable = [index for index, sign in enumerate(signs) if _is_usable(sign)]
        chosen = self._associate([signs[index] for index in usable])
        confirmed: list[Track] = []
        belongs: dict[int, _Followed] = {}
        for index, followed in zip(usable, chosen, strict=True):
            if followed is None:
                followed = self._start(signs[index], stamp_ns)  # noqa: PLW2901
            belongs[index] = followed
            before = followed.track(is_seen=True)
            followed.take(signs[index], stamp_ns)
            after = followed.track(is_seen=True)
            if before.is_confirmed and (not after.is_confirmed or after.label != before.label):
                left.append(before)
            if after.is_confirmed and (not before.is_confirmed or after.label != before.label):
                confirmed.append(after)
        seen_now = set(map(id, belongs.values()))
        left += [
            f.track(is_seen=False)
            for f in self._followed
            if id(f) not in seen_now and f.is_confirmed and self._is_over(f, size_hw)
        ]
        self._followed = [f for f in self._followed if id(f) in seen_now or not self._is_over(f, size_hw)]
        tracks = {
            id(f): f.track(is_seen=id(f) in seen_now)
            for f in self._followed
            if id(f) in seen_now or f.is_confirmed
        }
        seen = tuple(tracks[id(belongs[i])] if i in belongs else None for i in range(len(signs)))
        watch.lap("track")
        return Tracks(
            tuple(tracks.values()),
            signs,
            seen,
            tuple(confirmed),
            tuple(left),
            {**signs.latency_ms, **watch.laps_ms},
        )

    def _move_on(self, stamp_ns: int, size_hw: tuple[int, int] | None) -> list[Track]:
        """Predict all tracks; returns the confirmed ones that a jump in time ended."""
        constants = self.constants
        seconds = 0.0 if self._now_ns is None else (stamp_ns - self._now_ns) / 1e9
        if seconds < -constants.back_s or seconds > constants.forget_s:
            ended = [f.track(is_seen=False) for f in self._followed if f.is_confirmed]
            self.reset()
        else:
            ended = []
            for followed in self._followed:
                followed.predict(max(0.0, seconds), self._extent)
        self._now_ns = stamp_ns if self._now_ns is None else max(self._now_ns, stamp_ns)
        if size_hw is not None:
            self._extent = float(max(size_hw))
        return ended

    def _associate(self, signs: Sequence[Sign]) -> list[_Followed | None]:
        for sign in signs:
            self._extent = max(self._extent, *(sign.box or ()))
        chosen: list[_Followed | None] = [None] * len(signs)
        if not signs or not self._followed:
            return chosen
        costs = np.array([[f.cost(sign) for sign in signs] for f in self._followed])
        alone = 2 * log(self._extent) + self.constants.novelty
        for followed, column in zip(self._followed, assign(costs, alone), strict=True):
            if column >= 0:
                chosen[column] = followed
        return chosen

    def _start(self, sign: Sign, stamp_ns: int) -> _Followed:
        self._last_id += 1
        followed = _Followed(
            self._last_id, sign, stamp_ns, spec=self.spec, constants=self.constants, extent=self._extent
        )
        self._followed.append(followed)
        return followed

    def _is_over(self, followed: _Followed, size_hw: tuple[int, int] | None) -> bool:
        constants = self.constants
        unseen_s = ((self._now_ns or 0) - followed.seen_ns) / 1e9
        longest = constants.stay_s if followed.is_confirmed else constants.wait_s
        if unseen_s > constants.forget_s:
            return True
        if unseen_s > longest and followed.missed > constants.wait_frames:
            return True
        return _share_inside(to_box(followed.motion.position), size_hw) < constants.inside


class _Followed:
    """What a tracker remembers about one sign."""

    def __init__(
        self, id_: int, sign: Sign, stamp_ns: int, *, spec: ModelSpec, constants: Constants, extent: float
    ) -> None:
        self.id, self.sign, self.spec, self.constants = id_, sign, spec, constants
        self.first_ns = self.seen_ns = stamp_ns
        self.classes = np.zeros(len(spec.labels))
        self.known = 0.0
        self.class_id = -1
        self.is_confirmed = False
        self.frames = 0
        self.missed = 0
        state = to_state(sign.box or (0, 0, 1, 1))
        size = exp((state[2] + state[3]) / 2)
        speed = constants.speed * size + constants.turn * extent
        self.motion = ConstantVelocity(
            state, _noise(state, constants), np.array((speed, speed, constants.growth, constants.growth)) ** 2
        )

    def predict(self, seconds: float, extent: float) -> None:
        constants = self.constants
        size = exp((self.motion.position[2] + self.motion.position[3]) / 2)
        push = constants.acceleration * size + constants.turn_acceleration * extent
        growth = constants.growth_acceleration
        self.motion.predict(seconds, np.array((push, push, growth, growth)) ** 2)
        self.missed += 1

    def cost(self, sign: Sign) -> float:
        """How unlikely it is that a sign of a new frame is this one; infinity beyond the gate."""
        state = to_state(sign.box or (0, 0, 1, 1))
        variance = self.motion.variance + _noise(state, self.constants)
        error = state - self.motion.position
        distance = float((error**2 / variance).sum())
        if distance > self.constants.gate:
            return inf
        agreement = float((self.probabilities() * _probabilities(sign, self.spec, 0.2)).sum())
        scatter = 0.5 * float(np.log(2 * np.pi * variance).sum())
        return 0.5 * distance + scatter - log(max(agreement * len(self.spec.labels), 1e-9))

    def take(self, sign: Sign, stamp_ns: int) -> None:
        """Correct the position and add the evidence of one frame."""
        constants = self.constants
        state = to_state(sign.box or (0, 0, 1, 1))
        if self.frames:
            self.motion.correct(state, _noise(state, constants))
        between_s = abs(stamp_ns - self.seen_ns) / 1e9 if self.frames else inf
        share = min(1.0, max(constants.least_share, between_s / constants.independent_s))
        size = exp((state[2] + state[3]) / 2)
        share *= min(1.0, size / constants.clear_size)
        self.sign, self.seen_ns = sign, max(self.seen_ns, stamp_ns)
        self.frames, self.missed = self.frames + 1, 0
        odds = _log_odds(sign.known) - _log_odds(self.spec.threshold)
        step = min(max(odds, -constants.known_step), constants.known_step)
        bound = constants.known_bound
        self.known = min(max(self.known + share * step, -bound), bound)
        gain = np.log(_probabilities(sign, self.spec, constants.doubt))
        gain = np.maximum(gain - gain.max(), -constants.class_step)
        self.classes = self.classes + share * gain
        self.classes = np.maximum(self.classes - self.classes.max(), -constants.class_bound)
        self._decide()

    def _decide(self) -> None:
        constants = self.constants
        best = int(self.classes.argmax())
        if self.known <= (constants.refuse if self.is_confirmed else 0.0):
            self.class_id, self.is_confirmed = -1, False
            return
        if self.class_id < 0 or self.classes[best] - self.classes[self.class_id] >= constants.switch:
            self.class_id = best
        others = np.delete(self.classes, self.class_id)
        lead = self.classes[self.class_id] - (others.max() if others.size else -inf)
        self.is_confirmed = self.is_confirmed or (
            self.frames >= constants.confirm_frames
            and self.known >= constants.confirm_known
            and lead >= constants.confirm_lead
        )

    def probabilities(self) -> Vector:
        weights = np.exp(self.classes)
        return np.asarray(weights / weights.sum(), np.float64)

    def track(self, *, is_seen: bool) -> Track:
        known = self.class_id >= 0
        return Track(
            id=self.id,
            class_id=self.class_id,
            label=self.spec.labels[self.class_id] if known else "",
            score=float(self.probabilities()[self.class_id]) if known else 0.0,
            box=to_box(self.motion.position),
            is_confirmed=self.is_confirmed,
            is_seen=is_seen,
            age_s=(self.seen_ns - self.first_ns) / 1e9,
            sign=self.sign,
        )


def _is_usable(sign: Sign) -> bool:
    if sign.box is None or not all(map(isfinite, sign.box)):
        return False
    x1, y1, x2, y2 = sign.box
    return x1 < x2 and y1 < y2


def _noise(state: Vector, constants: Constants) -> Vector:
    size = exp((state[2] + state[3]) / 2)
    deviation = constants.box_noise
    place = deviation * size + 0.5
    return np.array((place, place, deviation, deviation)) ** 2


def _probabilities(sign: Sign, spec: ModelSpec, doubt: float) -> Vector:
    """What a frame says about the classes, (K,); doubt and a low ``known`` make it say less."""
    count = len(spec.labels)
    scores: NDArray[np.float64] = np.asarray(sign.scores, np.float64)
    if scores.shape != (count,) or not np.isfinite(scores).all():
        score = sign.score if isfinite(sign.score) else 0.0
        if not 0 <= sign.class_id < count:
            return np.full(count, 1.0 / count)
        scores = np.full(count, (1.0 - score) / max(1, count - 1))
        scores[sign.class_id] = score
    trust = (1.0 - doubt) * (min(max(sign.known, 0.0), 1.0) if isfinite(sign.known) else 0.0)
    return trust * scores + (1.0 - trust) / count


def _log_odds(share: float) -> float:
    if not isfinite(share):
        return 0.0
    share = min(max(share, 1e-6), 1.0 - 1e-6)
    return log(share / (1.0 - share))


def _share_inside(box: Box, size_hw: tuple[int, int] | None) -> float:
    height, width = size_hw or (inf, inf)
    x1, y1, x2, y2 = box
    inner = max(0.0, min(x2, width) - max(x1, 0.0)) * max(0.0, min(y2, height) - max(y1, 0.0))
    return inner / ((x2 - x1) * (y2 - y1))


def _area(track: Track) -> float:
    x1, y1, x2, y2 = track.box
    return (x2 - x1) * (y2 - y1)
