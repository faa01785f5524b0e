"""Names come in the order in which people count."""

import random

from perception.paths import natural_order


def test_numbers_in_names_count() -> None:
    ordered = [
        "2.jpg",
        "10.jpg",
        "a",
        "a2b3",
        "a2b10",
        "a10b1",
        "frame1.jpg",
        "frame2.jpg",
        "frame10.jpg",
        "ä1",
    ]
    for seed in range(20):
        names = random.Random(seed).sample(ordered, len(ordered))
        assert sorted(names, key=natural_order) == ordered


def test_every_name_has_one_position() -> None:
    names = ["7", "07", "007", "x7", "x07", "²", "x²", ""]
    assert len({natural_order(name) for name in names}) == len(names)
