"""Flicker: what changes between neighbouring frames, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from perception.segmentation import RoadMask
from perception.signs import Sign, Signs
from perception.steadiness import Steadiness
from perception.tracking import Track, Tracks
from tests.conftest import COLORS, PALETTE


def road(*ids: int) -> RoadMask:
    row = np.array([ids], np.uint8)
    return RoadMask(row, np.zeros_like(row), COLORS, PALETTE)


def tracks(**labels: str) -> Tracks:
    """One track for each, named by its id: ``t1="Stop"``."""
    box = (0.0, 0.0, 9.0, 9.0)
    sign = Sign(0, "", 0.9, 0.9, True, box, np.zeros(0, np.float32), {})
    return Tracks(
        tuple(
            Track(int(name[1:]), 0, label, 0.9, box, True, True, 0.0, sign) for name, label in labels.items()
        )
    )


def test_pixels_that_change_their_class() -> None:
    steadiness = Steadiness()
    shares = [steadiness.add(mask) for mask in (road(0, 0, 1, 1), road(0, 0, 1, 1), road(0, 2, 1, 255))]
    assert shares == [None, 0.0, 0.5]
    flicker = steadiness.flicker()
    assert (flicker.pixels, flicker.neighbours, flicker.label_changes) == (0.25, 2, None)


def test_frames_with_a_gap_between_them_are_no_neighbours() -> None:
    steadiness = Steadiness()
    steadiness.add(road(0, 0))
    steadiness.pause()
    assert steadiness.add(road(1, 1)) is None
    assert steadiness.add(road(1, 0)) == 0.5
    assert steadiness.flicker().pixels == 0.5


def test_a_frame_of_another_size_has_no_neighbour() -> None:
    steadiness = Steadiness()
    steadiness.add(road(0, 0))
    assert steadiness.add(road(1, 1, 1)) is None


def test_labels_of_things_that_are_followed() -> None:
    steadiness = Steadiness()
    for result in (
        tracks(t1="Stop", t2="Yield"),
        tracks(t1="Stop", t2=""),  # lost its label
        tracks(t1="Yield", t3="Stop"),  # a change; 2 is gone and 3 is new, which are none
    ):
        steadiness.add(result)
    assert steadiness.flicker().label_changes == 2
    assert steadiness.flicker().pixels is None


@pytest.mark.parametrize("result", [Signs(), Tracks()])
def test_nothing_followed_is_no_change(result: Signs) -> None:
    steadiness = Steadiness()
    steadiness.add(result)
    steadiness.add(result)
    assert steadiness.flicker().label_changes is None
