"""What is different, uncertain and sharp is picked first, and nothing twice."""

from __future__ import annotations

import numpy as np

from training.extract.candidates import Candidate
from training.extract.choose import choose


def candidate(
    index: int, look: float, *, unsure: float = 0.5, sharp: float = 100.0, source: int = 0
) -> Candidate:
    return Candidate(source, index, index, sharp, np.array([look, 7.0], np.float32), (unsure,))


def picked(candidates: list[Candidate], count: int) -> list[int]:
    return [pick.candidate.index for pick in choose(candidates, count)]


def test_each_kind_of_frame_comes_before_a_second_of_one_kind() -> None:
    looks = [0.0] * 20 + [5.0] * 3 + [10.0]
    candidates = [candidate(index, look + 0.001 * index) for index, look in enumerate(looks)]
    chosen = picked(candidates, 3)
    assert {looks[index] for index in chosen} == {0.0, 5.0, 10.0}
    assert picked(candidates, 24) == chosen  # all others look like one of these


def test_the_uncertain_one_of_equals_is_picked() -> None:
    candidates = [candidate(index, 0.01 * index, unsure=0.1 * index) for index in range(10)]
    first = choose(candidates, 1)[0]
    assert first.candidate.index == 9 and first.unsure == 1.0 and first.apart == float("inf")


def test_a_blurred_frame_comes_behind_sharp_ones_that_are_as_different() -> None:
    candidates = [
        candidate(index, float(index % 5), sharp=1.0 if index % 5 == 3 else 90.0) for index in range(20)
    ]
    assert picked(candidates, 5)[-1] % 5 == 3


def test_sharpness_is_compared_within_a_drive() -> None:
    soft_camera = [candidate(index, float(index), sharp=5.0, source=1) for index in range(4)]
    sharp_camera = [candidate(index, 100.0 + index, sharp=500.0) for index in range(4)]
    assert all(pick.sharp == 1.0 for pick in choose(soft_camera + sharp_camera, 8))


def test_the_less_sure_of_two_models_counts() -> None:
    candidates = [
        Candidate(0, index, index, 1.0, np.array([float(index)], np.float32), unsure)
        for index, unsure in enumerate([(0.9, 0.0), (0.1, 0.001), (0.2, 0.002), (0.3, 0.9)])
    ]
    assert [pick.unsure for pick in sorted(choose(candidates, 4), key=lambda p: p.candidate.index)] == [
        *(1.0, 1 / 3, 2 / 3, 1.0)
    ]


def test_frames_that_all_look_the_same_give_one() -> None:
    assert len(picked([candidate(index, 1.0) for index in range(5)], 3)) == 1
    assert picked([], 3) == []
