"""Where two models, or a model and the truth, disagree."""

from __future__ import annotations

import numpy as np
import pytest

from perception.differences import between
from perception.segmentation import RoadMask
from perception.signs import Sign, Signs
from tests.conftest import COLORS, PALETTE


def road(rows: list[list[int]], labels: tuple[str, ...] = COLORS) -> RoadMask:
    ids = np.array(rows, np.uint8)
    return RoadMask(ids, np.zeros_like(ids), labels, PALETTE[: len(labels)])


def sign(label: str, x: float | None, *, known: bool = True) -> Sign:
    box = None if x is None else (x, 0.0, x + 10.0, 10.0)
    return Sign(0, label, 0.9, 0.9, known, box, np.zeros(0, np.float32), {})


def test_pixels_are_compared_one_by_one() -> None:
    difference = between(road([[0, 0, 1, 255, 2, 255]]), road([[0, 2, 1, 1, 255, 255]]))
    assert difference is not None and difference.where is not None
    assert difference.where.tolist() == [[False, True, False, True, True, False]]
    same = {("Blue", "Blue"): 1, ("Green", "Green"): 1, ("", ""): 1}
    assert difference.pairs == same | {("Blue", "Red"): 1, ("", "Green"): 1, ("Red", ""): 1}
    assert (difference.count, difference.share) == (3, 0.5)


def test_classes_are_compared_by_name_not_by_number() -> None:
    same = between(road([[0, 1, 2]]), road([[2, 1, 0]], tuple(reversed(COLORS))))
    assert same is not None and same.count == 0
    other = between(road([[0, 1]]), road([[0, 1]], ("Blue", "Line")))
    assert other is not None and other.pairs == {("Blue", "Blue"): 1, ("Green", "Line"): 1}


def test_masks_of_other_sizes_are_compared_at_that_of_the_second() -> None:
    difference = between(road([[0, 1]]), road([[0, 0, 1, 1], [0, 0, 1, 2]]))
    assert difference is not None and difference.pairs[("Green", "Red")] == difference.count == 1


def test_things_are_paired_by_their_boxes() -> None:
    first = Signs((sign("Stop", 0), sign("Yield", 50), sign("Stop", 100)))
    second = Signs((sign("Yield", 52), sign("Halt", 1), sign("Stop", 200)))
    difference = between(first, second)
    assert difference is not None and difference.where is None
    expected = {("Stop", "Halt"): 1, ("Yield", "Yield"): 1, ("Stop", ""): 1, ("", "Stop"): 1}
    assert difference.pairs == expected
    assert (difference.count, difference.share) == (3, 0.75)


def test_a_thing_that_one_side_cannot_name_differs_and_one_that_neither_can_does_not() -> None:
    first = Signs((sign("Stop", 0), sign("Stop", 50, known=False), sign("Stop", 90, known=False)))
    second = Signs((sign("Stop", 0, known=False), sign("Stop", 50, known=False)))
    difference = between(first, second)
    assert difference is not None and difference.pairs == {("Stop", "unknown"): 1}


def test_whole_frames_are_one_thing_each() -> None:
    difference = between(Signs((sign("Stop", None),)), Signs((sign("Yield", None),)))
    assert difference is not None and difference.pairs == {("Stop", "Yield"): 1}


@pytest.mark.parametrize("second", [Signs((sign("Stop", 0),)), Signs()])
def test_nothing_on_one_side(second: Signs) -> None:
    for sides in ((Signs(), second), (second, Signs())):
        difference = between(*sides)
        assert difference is not None and difference.count == len(second)
