"""What a frame says counts by how much it can know."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from perception.followed import CONSTANTS, Constants, Followed
from perception.signs import Sign
from tests.test_tracking import SPEC, sign

STOP = 2


def followed(*reads: Sign, between_s: float = 1.0, constants: Constants = CONSTANTS) -> Followed:
    one = Followed(1, reads[0], 0, spec=SPEC, constants=constants, extent=640.0)
    for index, read in enumerate(reads):
        one.take(read, round(index * between_s * 1e9), 640.0)
    return one


def lead(one: Followed) -> float:
    """Log-odds of Stop before the best other class."""
    return float(one.classes[STOP] - np.delete(one.classes, STOP).max())


def test_a_tiny_sign_says_less() -> None:
    assert 0 < lead(followed(sign("Stop", size=6.0))) < lead(followed(sign("Stop", size=30.0)))
    assert followed(sign("Stop", size=6.0)).known < followed(sign("Stop", size=30.0)).known


def test_a_box_that_the_detector_doubts_says_less() -> None:
    assert 0 < lead(followed(sign("Stop", found=0.2))) < lead(followed(sign("Stop", found=0.8)))


def test_frames_close_together_say_less_than_frames_far_apart() -> None:
    reads = [sign("Stop", score=0.7)] * 2
    assert lead(followed(*reads, between_s=0.01)) < lead(followed(*reads, between_s=0.2))
    assert lead(followed(*reads, between_s=0.2)) == pytest.approx(lead(followed(*reads, between_s=2.0)))


def test_a_doubtful_read_says_less() -> None:
    sure, doubtful = followed(sign("Stop", score=0.9)), followed(sign("Stop", score=0.5))
    assert 0 < lead(doubtful) < lead(sure)
    assert lead(followed(sign("Stop", known=0.6))) < lead(followed(sign("Stop", known=0.95)))


def test_no_frame_and_no_number_of_frames_is_final() -> None:
    sure = sign("Stop", score=1.0, known=1.0)
    assert lead(followed(sure)) <= CONSTANTS.class_step
    many = followed(*[sure] * 100)
    assert lead(many) <= CONSTANTS.class_bound and many.known <= CONSTANTS.known_bound
    assert 0.99 < many.probabilities[STOP] < 1.0


def test_blur_that_makes_a_box_larger_does_not_make_the_sign_larger() -> None:
    reads = [sign("Stop", size=40.0)] * 8
    x1, _, x2, _ = followed(*reads, sign("Stop", x=110, size=60.0), between_s=0.05).box
    assert x2 - x1 < 50.0
    assert (x1 + x2) / 2 == pytest.approx(110.0)  # it is where it was seen


def test_every_constant_has_its_reason() -> None:
    text = Constants.__doc__ or ""
    for entry in fields(Constants):
        assert f"        {entry.name}: " in text
    assert replace(CONSTANTS, switch=1.0) != CONSTANTS


def test_what_is_doubtful_in_every_frame_never_becomes_sure() -> None:
    doubtful = followed(*[sign("Stop", score=1.0, known=0.62)] * 100)
    assert not doubtful.is_confirmed
    assert followed(*[sign("Stop", score=1.0, known=0.95)] * 3).is_confirmed
