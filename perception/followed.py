"""Followed: what a tracker remembers about one sign, and everything that it decides by."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, log

import numpy as np
from numpy.typing import NDArray

from perception.boxes import Box
from perception.motion import Approach, Vector, to_box, to_state
from perception.signs import Sign
from perception.spec import ModelSpec


@dataclass(frozen=True)
class Constants:
    """Everything the tracker decides by; lengths are in sizes of the sign, so that pixels do not matter.

    Attributes:
        box_noise: standard deviation of a detector's box, in sizes of the sign and in log size.
        speed: of a new sign whose movement is unknown, in sizes a second.
        turn: of the camera, in shares of the picture a second: what it adds to the speed of every sign.
        acceleration: noise of the speed, in sizes a second, per root second.
        turn_acceleration: the same of the camera, in shares of the picture.
        growth: speed of the log size, a second.
        growth_acceleration: noise of it, per root second.
        outlier: standard deviations beyond which a measured position counts the less, the further off it is.
        shake: standard deviation of the camera's jumps from frame to frame, in shares of the picture.
        novelty: log-odds that a box is no new sign, on top of the size of the picture.
        twin: share of a box in another above which both are of one sign; signs do not hide each other.
        mistaken: how often a class is misread, when boxes are compared by their classes.
        independent_s: frames so far apart count in full; closer ones see nearly the same and count less.
        least_share: what a frame counts at least.
        clear_size: px of the smaller side at which a classifier sees enough; smaller signs count less.
        sure: score of a detector at which a box is surely a sign; readings of less sure ones count less.
        doubt: share of a class probability that is spread over all classes, because a sure one can be wrong.
        class_step: largest log-odds between two classes that one frame gives.
        class_bound: largest log-odds between two classes, so that a mistake can be corrected in a few frames.
        certainty: log-odds are multiplied by it for ``score``, so that it is as often right as it says.
        switch: by how much another class must lead before the label changes.
        known_doubt: log-odds above the threshold of ``known`` at which a frame says nothing, because what is
            doubtful in every frame, as the back of a sign, would become sure.
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
    turn: float = 0.12
    acceleration: float = 3.0
    turn_acceleration: float = 0.05
    growth: float = 1.0
    growth_acceleration: float = 0.3
    outlier: float = 2.0
    shake: float = 0.008
    novelty: float = 4.0
    twin: float = 0.5
    mistaken: float = 0.05
    independent_s: float = 0.15
    least_share: float = 0.25
    clear_size: float = 12.0
    sure: float = 0.6
    doubt: float = 0.1
    class_step: float = 3.0
    class_bound: float = 6.0
    certainty: float = 1.5
    switch: float = 3.0
    known_doubt: float = 0.6
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
NOWHERE: Box = (0.0, 0.0, 1.0, 1.0)  # signs without a box are not followed


class Followed:
    """One sign from frame to frame.

    Args:
        number: its id.
        sign: what was first read.
        stamp_ns: when.
        spec: of the classifier.
        constants: what is decided by.
        extent: longer side of the picture, px.
    """

    def __init__(
        self, number: int, sign: Sign, stamp_ns: int, *, spec: ModelSpec, constants: Constants, extent: float
    ) -> None:
        self.id, self.sign, self.spec, self.constants = number, sign, spec, constants
        self.first_ns = self.seen_ns = stamp_ns
        self.classes = np.zeros(len(spec.labels))  # log-odds against the best class
        self.probabilities = np.full(len(spec.labels), 1.0 / len(spec.labels))
        self.known = 0.0  # log-odds of being a sign of one of the classes
        self.class_id = -1
        self.is_confirmed = False
        self.frames = 0
        self.missed = 0
        state = to_state(sign.box or NOWHERE)
        speed = constants.speed * _size(state) + constants.turn * extent
        self.motion = Approach(
            state,
            noise(state, constants, extent),
            np.array((speed, speed, constants.growth, constants.growth)) ** 2,
        )

    def predict(self, seconds: float, extent: float) -> None:
        """Move on in time to a new frame."""
        constants = self.constants
        push = constants.acceleration * _size(self.motion.position) + constants.turn_acceleration * extent
        growth = constants.growth_acceleration
        self.motion.predict(seconds, np.array((push, push, growth, growth)) ** 2)
        self.missed += 1

    def take(self, sign: Sign, stamp_ns: int, extent: float) -> None:
        """Correct the position, and add the evidence of one frame."""
        constants = self.constants
        state = to_state(sign.box or NOWHERE)
        if self.frames:
            measured = noise(state, constants, extent)
            deviations = (state - self.motion.position) ** 2 / (self.motion.variance + measured)
            # Blur, bumps and things that hide a part are no movement: the further off, the less is believed.
            self.motion.correct(state, measured * np.maximum(1.0, deviations / constants.outlier**2))
        between_s = abs(stamp_ns - self.seen_ns) / 1e9 if self.frames else inf
        share = min(1.0, max(constants.least_share, between_s / constants.independent_s))
        share *= min(1.0, _size(state) / constants.clear_size) * min(1.0, _share(sign.found) / constants.sure)
        self.sign, self.seen_ns = sign, max(self.seen_ns, stamp_ns)
        self.frames, self.missed = self.frames + 1, 0
        odds = _log_odds(sign.known) - _log_odds(self.spec.threshold) - constants.known_doubt
        step = min(max(odds, -constants.known_step), constants.known_step)
        bound = constants.known_bound
        self.known = min(max(self.known + share * step, -bound), bound)
        gain = np.log(read_probabilities(sign, self.spec, constants.doubt))
        gain = np.maximum(gain - gain.max(), -constants.class_step)
        self.classes = self.classes + share * gain
        self.classes = np.maximum(self.classes - self.classes.max(), -constants.class_bound)
        weights = np.exp(constants.certainty * self.classes)
        self.probabilities = weights / weights.sum()
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
        lead = float(self.classes[self.class_id] - others.max()) if others.size else inf
        self.is_confirmed = self.is_confirmed or (
            self.frames >= constants.confirm_frames
            and self.known >= constants.confirm_known
            and lead >= constants.confirm_lead
        )

    @property
    def box(self) -> Box:
        """Where it is: as measured, with the steadier size of all frames; or as predicted if hidden."""
        state = self.motion.position
        if self.missed == 0:
            state = np.concatenate([to_state(self.sign.box or NOWHERE)[:2], state[2:]])
        return to_box(state)

    @property
    def confirmed_id(self) -> int:
        """Its class if it is confirmed, else -1."""
        return self.class_id if self.is_confirmed else -1


def _size(state: Vector) -> float:
    return exp((state[2] + state[3]) / 2)


def noise(state: Vector, constants: Constants, extent: float) -> Vector:
    """Variance of a measured box, (4,), a shaking camera included; an ``extent`` of 0 leaves that out."""
    deviation = constants.box_noise
    place = (deviation * _size(state) + 0.5) ** 2 + (constants.shake * extent) ** 2
    return np.array((place, place, deviation**2, deviation**2))


def read_probabilities(sign: Sign, spec: ModelSpec, doubt: float) -> Vector:
    """What a frame says about the classes, (K,); doubt and a low ``known`` make it say less."""
    count = len(spec.labels)
    scores: NDArray[np.float64] = np.asarray(sign.scores, np.float64)
    if scores.shape != (count,) or not ((scores >= 0) & (scores <= 1)).all():
        if not 0 <= sign.class_id < count:
            return np.full(count, 1.0 / count)
        score = _share(sign.score)
        scores = np.full(count, (1.0 - score) / max(1, count - 1))
        scores[sign.class_id] = score
    trust = (1.0 - doubt) * _share(sign.known)
    return trust * scores + (1.0 - trust) / count


def _share(value: float) -> float:
    """Within 0…1; what is no number is 0."""
    return min(max(value, 0.0), 1.0) if isfinite(value) else 0.0


def _log_odds(share: float) -> float:
    share = min(max(_share(share), 1e-6), 1.0 - 1e-6)
    return log(share / (1.0 - share))
