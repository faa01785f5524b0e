"""Association: which box of a new frame is which of the signs that are followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CANDIDATES = 32  # jumps of the camera that are compared
JUMP = 8.0  # usual jumps of the camera that a bump can have
PAIRS = 50_000  # of signs and tracks, over all jumps: more would cost milliseconds


def log_likelihoods(states: Array, variances: Array, measured: Array, jumps: Array) -> Array:
    """How well boxes fit to predictions if the camera jumped.

    Args:
        states: (T, 4) predicted.
        variances: (T, S, 4) of prediction and measurement together.
        measured: (S, 4).
        jumps: (J, 2) px, added to every predicted place.

    Returns:
        (J, T, S) logarithms of Gaussian densities.
    """
    error = measured[None, :, :] - states[:, None, :]
    rest = -0.5 * (error[..., 2:] ** 2 / variances[..., 2:]).sum(axis=2)
    rest -= 0.5 * np.log(2 * np.pi * variances).sum(axis=2)
    place = error[None, :, :, :2] - jumps[:, None, None, :]
    answer: Array = rest - 0.5 * (place**2 / variances[..., :2]).sum(axis=3)
    return answer


def jumps(states: Array, measured: Array, deviation: float) -> Array:
    """Candidates for a jump of the camera, which moves all signs alike: (J, 2), none at all first.

    Each pair of a prediction and a box gives one, the smaller the earlier.

    Args:
        states: (T, 4) predicted.
        measured: (S, 4).
        deviation: of a usual jump, px; those of more than JUMP times as much are left out.
    """
    pairs = (measured[None, :, :2] - states[:, None, :2]).reshape(-1, 2)
    lengths = np.hypot(*pairs.T)
    count = min(CANDIDATES, PAIRS // max(1, len(pairs)))
    order = np.argsort(lengths, kind="stable")[:count]
    return np.concatenate([np.zeros((1, 2)), pairs[order][lengths[order] < JUMP * deviation]])


def assign(costs: Array, alone: float) -> list[int]:
    """Give each row at most one column, so that the sum of the costs is least (Kuhn 1955, Munkres 1957).

    Args:
        costs: (R, C); infinity for a pair that cannot be.
        alone: the cost of a row without a column.

    Returns:
        For each row its column, or -1.
    """
    rows, columns = costs.shape
    square = np.concatenate([np.minimum(costs, 1e9), np.full((rows, rows), alone)], axis=1)
    row_price, column_price = np.zeros(rows), np.zeros(rows + columns)
    owner = np.full(rows + columns, -1)
    for row in range(rows):
        _augment(row, square, row_price, column_price, owner)
    answer = [-1] * rows
    for column, row in enumerate(owner[:columns].tolist()):
        if row >= 0 and costs[row, column] < alone:
            answer[row] = column
    return answer


def _augment(
    start: int, costs: Array, row_price: Array, column_price: Array, owner: NDArray[np.int64]
) -> None:
    """Find a column for one more row by the cheapest path of exchanges; changes prices and owners."""
    size = len(owner)
    reach, back = np.full(size, np.inf), np.full(size, -1)
    done = np.zeros(size, bool)
    row, column, visited = start, -1, [start]
    while True:
        offer = costs[row] - row_price[row] - column_price
        better = ~done & (offer < reach)
        reach[better], back[better] = offer[better], column
        column = int(np.where(done, np.inf, reach).argmin())
        step = float(reach[column])
        row_price[visited] += step
        column_price[done] -= step
        reach[~done] -= step
        done[column] = True
        if owner[column] < 0:
            break
        row = int(owner[column])
        visited.append(row)
    while column >= 0:
        previous = int(back[column])
        owner[column] = owner[previous] if previous >= 0 else start
        column = previous
