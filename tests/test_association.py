"""The assignment is the cheapest there is, and a jump of the camera is found by all signs together."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from perception.association import CANDIDATES, assign, jumps, log_likelihoods
from perception.boxes import distinct


def cheapest(costs: np.ndarray, alone: float) -> float:
    """By trying all ways; a row may stay alone."""
    rows, columns = costs.shape
    padded = np.concatenate([costs, np.full((rows, rows), alone)], axis=1)
    return min(
        sum(padded[r, c] for r, c in enumerate(way)) for way in permutations(range(columns + rows), rows)
    )


@pytest.mark.parametrize("seed", range(20))
def test_no_assignment_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5, 2)
    costs = rng.uniform(-2.0, 8.0, (rows, columns))
    costs[rng.random(costs.shape) < 0.2] = np.inf
    alone = 3.0
    chosen = assign(costs, alone)
    taken = [column for column in chosen if column >= 0]
    assert len(taken) == len(set(taken))
    total = sum(costs[row, column] if column >= 0 else alone for row, column in enumerate(chosen))
    assert total == pytest.approx(cheapest(costs, alone))


def test_a_greedy_choice_is_not_enough() -> None:
    assert assign(np.array(((1.0, 2.0), (2.0, 100.0))), 50.0) == [1, 0]


def test_the_jump_that_fits_all_signs_is_among_the_candidates() -> None:
    states = np.array(((100.0, 100.0, 3.0, 3.0), (100.0, 142.0, 3.0, 3.0)))
    measured = states + np.array((3.0, 20.0, 0.0, 0.0))
    moves = jumps(states, measured, 5.0)
    assert moves[0].tolist() == [0.0, 0.0]  # none at all
    variances = np.full((2, 2, 4), 4.0)
    fits = log_likelihoods(states, variances, measured, moves)
    best = int(fits.max(axis=2).sum(axis=1).argmax())
    assert moves[best] == pytest.approx([3.0, 20.0])
    assert assign(-fits[best], 50.0) == [0, 1]


def test_wild_jumps_are_left_out_and_their_number_is_bounded() -> None:
    rng = np.random.default_rng(0)
    states = np.concatenate([rng.uniform(0, 600, (50, 2)), np.full((50, 2), 3.0)], axis=1)
    moves = jumps(states, states + 1.0, 5.0)
    assert 1 < len(moves) <= CANDIDATES + 1
    assert np.hypot(*moves.T).max() < 40.0
    assert len(jumps(states[:1], states[:1] + 500.0, 5.0)) == 1


def test_the_likelihood_is_that_of_a_normal_distribution() -> None:
    fit = log_likelihoods(np.zeros((1, 4)), np.full((1, 1, 4), 4.0), np.ones((1, 4)), np.array(((1.0, 1.0),)))
    density = [np.exp(-(error**2) / 8) / np.sqrt(8 * np.pi) for error in (0.0, 0.0, 1.0, 1.0)]
    assert fit.item() == pytest.approx(np.log(density).sum())


def test_of_boxes_of_one_thing_the_first_remains() -> None:
    boxes = np.array(
        ((0, 0, 10, 10), (1, 1, 11, 11), (0, 10, 10, 20), (2, 2, 5, 5), (0, 12, 10, 24)), np.float64
    )
    assert distinct(boxes, 0.5) == [0, 2]  # one inside another is the same, too
    assert distinct(boxes, 0.9) == [0, 1, 2, 4]
