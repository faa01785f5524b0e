"""Tracking: the signs of one frame after the other in, which of them are the same and what they are out.

A small Kalman filter per sign says where it will be. What the classifier says about it in each frame is
added up as log-odds, so that one blurred frame does not change what a sign is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, isfinite, log
from typing import overload

import numpy as np

from perception import draw
from perception.association import Array, assign, jumps, log_likelihoods
from perception.boxes import Box, distinct
from perception.followed import CONSTANTS, NOWHERE, Constants, Followed, noise, read_probabilities
from perception.frames import Frame
from perception.latency import Stopwatch
from perception.motion import to_state
from perception.signs import Sign, Signs
from perception.spec import ModelSpec


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
        return tuple(
            sorted((t for t in self.tracks if t.is_confirmed), key=lambda t: _area(t.box), reverse=True)
        )

    def overlay(self, frame: Frame) -> Frame:
        """A copy of the frame with each track's box, id and name drawn in, but for what is hardly a sign."""
        colors = {True: draw.KNOWN, False: draw.UNKNOWN}
        likely = [track for track in self.tracks if track or track.sign.is_likely]
        marks = [draw.Mark(track.box, track.caption, colors[bool(track)]) for track in likely]
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
        self._followed: list[Followed] = []
        self._last_id = 0
        self._now_ns: int | None = None
        self._size_hw: tuple[int, int] | None = None
        self._extent = 1.0  # longer side of the frame, or how far boxes reached

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
            size_hw: of the frame, if it is known; signs that leave it to the right or below are gone at once.
        """
        watch = Stopwatch()
        left = self._move_on(stamp_ns, size_hw)
        confirmed: list[Track] = []
        owners = self._owners(signs, stamp_ns)
        for index, followed in owners.items():
            before, was = followed.confirmed_id, self._track(followed) if followed.is_confirmed else None
            followed.take(signs[index], stamp_ns, self._extent)
            if followed.confirmed_id != before:
                left += [was] if was is not None else []
                confirmed += [self._track(followed)] if followed.is_confirmed else []
        left += self._drop()
        tracks = {
            followed.id: self._track(followed)
            for followed in self._followed
            if followed.is_confirmed or followed.missed == 0
        }
        seen = tuple(tracks[owners[i].id] if i in owners else None for i in range(len(signs)))
        watch.lap("track")
        latency_ms = {**signs.latency_ms, **watch.laps_ms}
        return Tracks(tuple(tracks.values()), signs, seen, tuple(confirmed), tuple(left), latency_ms)

    def _move_on(self, stamp_ns: int, size_hw: tuple[int, int] | None) -> list[Track]:
        """Predict all tracks; returns the confirmed ones that a jump in time ended."""
        constants = self.constants
        seconds = 0.0 if self._now_ns is None else (stamp_ns - self._now_ns) / 1e9
        ended: list[Track] = []
        if seconds < -constants.back_s or seconds > constants.forget_s:
            ended = [replace(self._track(f), is_seen=False) for f in self._followed if f.is_confirmed]
            self.reset()
        for followed in self._followed:
            followed.predict(max(0.0, seconds), self._extent)
        self._now_ns = stamp_ns if self._now_ns is None else max(self._now_ns, stamp_ns)
        self._size_hw = size_hw
        if size_hw is not None:
            self._extent = float(max(size_hw))
        return ended

    def _owners(self, signs: Signs, stamp_ns: int) -> dict[int, Followed]:
        """Which sign belongs to which track, by its index; new tracks begin here."""
        usable = self._usable(signs)
        for index in usable:
            self._extent = max(self._extent, *(signs[index].box or NOWHERE))
        owners: dict[int, Followed] = {}
        if usable and self._followed:
            alone = 2 * log(self._extent) + self.constants.novelty
            costs = self._costs([signs[index] for index in usable], alone)
            for followed, column in zip(self._followed, assign(costs, alone), strict=True):
                if column >= 0:
                    owners[usable[column]] = followed
        for index in usable:
            if index in owners:
                continue
            self._last_id += 1
            owners[index] = Followed(
                self._last_id,
                signs[index],
                stamp_ns,
                spec=self.spec,
                constants=self.constants,
                extent=self._extent,
            )
            self._followed.append(owners[index])
        return owners

    def _usable(self, signs: Signs) -> list[int]:
        """Signs that have a box, without those that are surer found in another box; the surest first."""
        boxed = [index for index, sign in enumerate(signs) if sign.box is not None and _has_area(sign.box)]
        boxed.sort(key=lambda index: -signs[index].found)
        if len(boxed) < 2:
            return boxed
        corners = np.array([signs[index].box for index in boxed])
        return [boxed[number] for number in distinct(corners, self.constants.twin)]

    def _costs(self, signs: Sequence[Sign], alone: float) -> Array:
        """How unlikely a sign is to be a track, (tracks, signs), after the likeliest jump of the camera."""
        constants = self.constants
        measured = np.stack([to_state(sign.box or NOWHERE) for sign in signs])
        noises = np.stack([noise(state, constants, 0.0) for state in measured])
        states = np.stack([followed.motion.position for followed in self._followed])
        variances = np.stack([f.motion.variance for f in self._followed])[:, None, :] + noises
        beliefs = np.stack([followed.probabilities for followed in self._followed])
        reads = np.stack([read_probabilities(sign, self.spec, constants.mistaken) for sign in signs])
        agreement = np.log(np.maximum(beliefs @ reads.T * len(self.spec.labels), 1e-9))
        deviation = constants.shake * self._extent
        moves = jumps(states, measured, deviation)
        fits = log_likelihoods(states, variances, measured, moves) + agreement
        # Cauchy: most moves are small, bumps are not.
        unlikely = 1.5 * np.log1p((moves**2).sum(axis=1) / deviation**2)
        best = int((np.minimum(-fits.max(axis=2), alone).sum(axis=1) + unlikely).argmin())
        return np.asarray(-fits[best], np.float64)

    def _drop(self) -> list[Track]:
        """End the tracks that are over; returns the confirmed ones."""
        over = [followed for followed in self._followed if followed.missed and self._is_over(followed)]
        self._followed = [followed for followed in self._followed if followed not in over]
        return [self._track(followed) for followed in over if followed.is_confirmed]

    def _is_over(self, followed: Followed) -> bool:
        constants = self.constants
        unseen_s = ((self._now_ns or 0) - followed.seen_ns) / 1e9
        longest = constants.stay_s if followed.is_confirmed else constants.wait_s
        if unseen_s > constants.forget_s:
            return True
        if unseen_s > longest and followed.missed > constants.wait_frames:
            return True
        return _area(_cut(followed.box, self._size_hw)) < constants.inside * _area(followed.box)

    def _track(self, followed: Followed) -> Track:
        is_known = followed.class_id >= 0
        return Track(
            id=followed.id,
            class_id=followed.class_id,
            label=self.spec.labels[followed.class_id] if is_known else "",
            score=float(followed.probabilities[followed.class_id]) if is_known else 0.0,
            box=_cut(followed.box, self._size_hw),
            is_confirmed=followed.is_confirmed,
            is_seen=followed.missed == 0,
            age_s=((self._now_ns or followed.first_ns) - followed.first_ns) / 1e9,
            sign=followed.sign,
        )


def _has_area(box: Box) -> bool:
    x1, y1, x2, y2 = box
    return all(map(isfinite, box)) and x1 < x2 and y1 < y2


def _cut(box: Box, size_hw: tuple[int, int] | None) -> Box:
    """The part of a box that is in the frame; as far as is known without its size."""
    height, width = map(float, size_hw or (inf, inf))  # an int in a message would end the process
    x1, y1, x2, y2 = box
    return (
        min(max(x1, 0.0), width),
        min(max(y1, 0.0), height),
        min(max(x2, 0.0), width),
        min(max(y2, 0.0), height),
    )


def _area(box: Box) -> float:
    x1, y1, x2, y2 = box
    return (x2 - x1) * (y2 - y1)
