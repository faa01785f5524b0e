"""One pass over the pictures of a data set: how each looks, and what a model says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from perception.frames import Frame
from training.audit.auditing import Auditor, Item, Seen
from training.check.pictures import look_at
from training.datasets.pictures import read_bgr
from training.pieces import Pieces

BATCH = 32

Look = Callable[[Sequence[Frame]], NDArray[np.float32]]
Row = tuple[int, Any, NDArray[np.float32], bytes]  # number, answer, look and digest of a picture


def order(items: Sequence[Item], limit: int | None) -> list[int]:
    """Numbers of the items in an order whose every beginning is spread over the data set.

    One picture of each group comes first, by chance, then a second one of each, and so on: frames of one sign
    say the same again.

    Args:
        items: all of them.
        limit: how many are enough.
    """
    members: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        members.setdefault(item.group, []).append(number)
    rng = np.random.default_rng(0)
    keys = {
        int(number): (turn, rng.random())
        for group in members.values()
        for turn, number in enumerate(rng.permutation(group))
    }
    return sorted(keys, key=lambda number: keys[number])[:limit]


def see(
    auditor: Auditor, numbers: Sequence[int], look: Look, pieces: Pieces | None = None
) -> tuple[Seen, bool]:
    """Look at pictures, and ask the model about them. Ctrl-C ends it early, with what has been seen.

    Args:
        auditor: the data set and the model.
        numbers: of the items, in the order in which they are looked at.
        look: gives the features of pictures.
        pieces: where what was seen is kept; None keeps nothing.

    Returns:
        What was seen, and whether that is all.

    Raises:
        DataError: a picture cannot be read.
        KeyboardInterrupt: nothing had been seen.
    """
    rows: list[Row] = []
    pieces = pieces or Pieces()
    console = Console(stderr=True)
    try:
        for start in track(range(0, len(numbers), BATCH), "looking", console=console, transient=True):
            batch = numbers[start : start + BATCH]
            rows += pieces.once(str(start), partial(_rows, auditor, batch, look))
    except KeyboardInterrupt:
        if not rows:
            raise
    rows.sort(key=lambda row: row[0])
    seen = Seen(
        numbers=tuple(row[0] for row in rows),
        answers=tuple(row[1] for row in rows),
        looks=np.stack([row[2] for row in rows]),
        digests=tuple(row[3] for row in rows),
    )
    return seen, len(rows) == len(numbers)


def _rows(auditor: Auditor, numbers: Sequence[int], look: Look) -> list[Row]:
    """What there is to remember of some pictures."""
    paths = [auditor.items[number].path for number in numbers]
    frames = [read_bgr(path) for path in paths]
    digests = [look_at(path, frame).digest for path, frame in zip(paths, frames)]
    return list(zip(numbers, auditor.answer(numbers, frames), look(frames), digests))
