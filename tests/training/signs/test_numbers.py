"""Signs that differ in a number alone are counted where one is read as another."""

from __future__ import annotations

import numpy as np

from training.signs.numbers import numbers_mistaken

LABELS = ("Speed limit 30", "Stop", "Speed limit 80", "End of speed limit 80", "Speed limit 120")


def test_one_number_read_as_another_is_counted_and_other_mistakes_are_not() -> None:
    wanted = np.array([0, 0, 0, 2, 2, 4, 1, 3])
    given = np.array([0, 2, 2, 1, 0, 4, 0, 2])
    assert numbers_mistaken(wanted, given, LABELS) == {
        "crops": 6,
        "mistaken": 3,
        "pairs": {"Speed limit 30 as Speed limit 80": 2, "Speed limit 80 as Speed limit 30": 1},
    }


def test_classes_without_numbers_have_nothing_to_count() -> None:
    ids = np.array([0, 1])
    assert numbers_mistaken(ids, ids[::-1], ("Stop", "Ahead only")) == {}
    assert numbers_mistaken(ids, ids[::-1], ("Stop 1", "Ahead 2")) == {}
