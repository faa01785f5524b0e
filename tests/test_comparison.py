"""What a comparison keeps of a drive: means, and the few moments that differ most."""

from __future__ import annotations

import json

import numpy as np
import pytest

from perception.comparison import Comparer, Comparison, Gallery, Moment
from perception.differences import Difference
from tests.test_differences import road
from tests.test_steadiness import tracks

PICTURE = np.zeros((4, 4, 3), np.uint8)


def moment(time_s: float, count: int) -> Moment:
    return Moment(time_s, round(10 * time_s), "", 0.0, count, (), PICTURE)


def times(gallery: Gallery) -> list[float]:
    return [kept.time_s for kept in gallery.moments()]


def test_the_moments_that_differ_most_are_kept_and_none_close_to_another() -> None:
    gallery = Gallery(2)
    for time_s, count in ((0.0, 5), (0.5, 9), (0.9, 7), (3.0, 2), (6.0, 3), (9.0, 1)):
        if gallery.wants(time_s, count, 1.0):
            gallery.add(moment(time_s, count), 1.0)
    assert times(gallery) == [0.5, 6.0]


def test_pictures_of_a_folder_may_be_next_to_each_other() -> None:
    gallery = Gallery(3)
    for time_s, count in ((0.0, 5), (1.0, 9), (2.0, 7)):
        assert gallery.wants(time_s, count, 0.0)
        gallery.add(moment(time_s, count), 0.0)
    assert times(gallery) == [1.0, 2.0, 0.0]


def test_pictures_are_made_of_what_is_kept_only() -> None:
    comparer, drawn = Comparer(), list[Difference]()

    def draw(difference: Difference) -> np.ndarray:
        drawn.append(difference)
        return PICTURE

    for number in range(10):  # the models differ in one frame
        comparer.add(number / 10, number, (road([[0, 1]]), road([[0, 1 + (number == 5)]])), draw)
    task = comparer.compared("segmentation", [("old", "", "cpu"), ("new", "", "cpu")])
    assert len(drawn) == len(task.moments) == 1
    (kept,) = task.moments
    assert (kept.time_s, kept.frame, kept.share, kept.changes) == (0.5, 5, 0.5, (("Green", "Red", 1),))
    assert task.difference == pytest.approx(0.05) and task.counted == "pixels"
    first, second = (side.observed for side in task.sides)
    assert first.flicker.pixels == 0.0 and second.flicker.pixels == pytest.approx(2 * 0.5 / 9)
    assert first.shares["Green"] == 0.5 and second.shares["Green"] == pytest.approx(0.45)
    assert task.pairs == {("Blue", "Blue"): 10, ("Green", "Green"): 9, ("Green", "Red"): 1}


def test_things_differ_as_a_share_of_all_things_of_the_drive() -> None:
    comparer = Comparer()
    comparer.add(0.0, 0, (tracks(), tracks()), lambda _: PICTURE)  # nothing there
    comparer.add(0.1, 1, (tracks(t1="Stop"), tracks(t1="Stop")), lambda _: PICTURE)
    comparer.add(0.2, 2, (tracks(t1="Stop"), tracks(t1="Yield")), lambda _: PICTURE)
    task = comparer.compared("signs", [("old", "", "cpu"), ("new", "", "cpu")])
    assert (task.difference, task.counted) == (0.5, "things")
    old, new = (side.observed for side in task.sides)
    assert [(each.label, each.from_s, each.to_s, each.frames) for each in new.passages] == [
        ("Stop", 0.1, 0.1, 1),
        ("Yield", 0.2, 0.2, 1),
    ]
    assert old.sightings == {"Stop": 2} and new.flicker.label_changes == 1


def test_the_json_has_all_but_the_pictures() -> None:
    comparer = Comparer()
    comparer.add(0.0, 0, (road([[0]]), road([[1]])), lambda _: PICTURE)
    task = comparer.compared("segmentation", [("old", "", "cpu"), ("new", "", "cpu")])
    raw = json.loads(json.dumps(Comparison(("a",), 1, {}, 0.1, (task,)).to_json()))
    assert raw["tasks"][0]["pairs"] == [["Blue", "Green", 1]]
    assert raw["tasks"][0]["moments"][0]["count"] == 1 and "picture" not in raw["tasks"][0]["moments"][0]
