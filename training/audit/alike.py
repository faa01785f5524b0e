"""Pictures that are, or nearly are, the same, on one side of the split or both; and those like no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.outlier import OutOfDistribution
from numpy.typing import NDArray

from training.audit.auditing import Item, Seen
from training.extract.choose import ALIKE, scaled

CHUNK = 512  # pictures that are compared with all others at once
NEIGHBOURS = 10  # whose mean distance says how far off a picture is
FEWEST = 20  # pictures, or signs; among fewer none is far off


@dataclass(frozen=True)
class Pair:
    """Two pictures that show the same.

    Attributes:
        first: number of the item to keep; the one that validates if they are on both sides.
        second: number of the item that can be left out.
        apart: distance of their looks, where 1 is usual between any two; 0 if their pixels are the same.
        is_leak: one is learnt from and the other validates.
    """

    first: int
    second: int
    apart: float
    is_leak: bool


@dataclass(frozen=True)
class Drive:
    """Frames of one drive, or of one sign, on both sides of the split."""

    name: str
    train: int
    val: int


@dataclass(frozen=True)
class Outlier:
    """A picture like no other; ``score`` is 0…1, the farther off the smaller."""

    number: int
    score: float


def pairs(items: Sequence[Item], seen: Seen) -> tuple[Pair, ...]:
    """Pictures that are there twice: leaks first, then by how little they differ."""
    same = list(_same(items, seen))
    known = {frozenset((pair.first, pair.second)) for pair in same}
    near = [pair for pair in _near(items, seen) if frozenset((pair.first, pair.second)) not in known]
    return tuple(sorted([*same, *near], key=lambda pair: (not pair.is_leak, pair.apart)))


def _same(items: Sequence[Item], seen: Seen) -> Iterator[Pair]:
    """Those with the same pixels; each is compared with the first, which validates if one of them does."""
    copies: dict[bytes, list[int]] = defaultdict(list)
    for number, digest in zip(seen.numbers, seen.digests):
        copies[digest].append(number)
    for numbers in copies.values():
        first, *others = sorted(numbers, key=lambda number: items[number].part != "val")
        for other in others:
            yield Pair(first, other, 0.0, items[first].part != items[other].part)


def _near(items: Sequence[Item], seen: Seen) -> Iterator[Pair]:
    """The nearest picture of another group, if it looks the same; one pair of two groups."""
    looks, numbers = scaled(seen.looks).astype(np.float32), np.array(seen.numbers)
    groups = np.unique([items[number].group for number in numbers], return_inverse=True)[1]
    is_val = np.array([items[number].part == "val" for number in numbers])
    best: dict[tuple[int, int], Pair] = {}
    for which in (np.flatnonzero(is_val), np.flatnonzero(~is_val)):
        for place, other, apart in _nearest(looks, groups, which, np.flatnonzero(~is_val)):
            if apart >= ALIKE:
                continue
            is_leak = bool(is_val[place])
            first, second = (place, other) if is_leak else sorted((place, other))
            key = (int(groups[first]), int(groups[second]))
            if key not in best or apart < best[key].apart:
                best[key] = Pair(int(numbers[first]), int(numbers[second]), apart, is_leak)
    yield from best.values()


def _nearest(
    looks: NDArray[np.float32], groups: NDArray[np.int64], which: NDArray[np.int64], pool: NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    """For each of some pictures, the nearest in a pool that is of another group, and the distance."""
    if not len(pool):
        return
    squares = (looks[pool] ** 2).sum(axis=1)
    for start in range(0, len(which), CHUNK):
        part = which[start : start + CHUNK]
        apart = squares - 2.0 * looks[part] @ looks[pool].T + (looks[part] ** 2).sum(axis=1)[:, np.newaxis]
        apart[groups[part][:, np.newaxis] == groups[pool]] = np.inf
        nearest = apart.argmin(axis=1)
        for place, other, square in zip(part, nearest, apart[np.arange(len(part)), nearest]):
            yield int(place), int(pool[other]), float(np.sqrt(max(square, 0.0)))


def drives(items: Sequence[Item], seen: Seen) -> tuple[Drive, ...]:
    """Drives, or signs, of which some frames are learnt from while others validate."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for number in seen.numbers:
        if items[number].drive:
            counts[items[number].drive][items[number].part == "val"] += 1
    return tuple(Drive(name, train, val) for name, (train, val) in sorted(counts.items()) if train and val)


def outliers(items: Sequence[Item], seen: Seen) -> tuple[Outlier, ...]:
    """One picture of each group, by its distance to its neighbours (Kuan & Mueller 2022, by cleanlab)."""
    last = {items[number].group: place for place, number in enumerate(seen.numbers)}
    places = sorted(last.values())
    if len(places) < FEWEST:
        return ()
    features = scaled(seen.looks[places])
    scores = OutOfDistribution({"k": NEIGHBOURS}).fit_score(features=features, verbose=False)
    ranked = [Outlier(seen.numbers[places[row]], float(scores[row])) for row in np.argsort(scores)]
    return tuple(ranked)
