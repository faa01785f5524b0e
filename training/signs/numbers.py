"""Signs that differ in a number alone, as speed limits do: how often one is read as another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def differ_in_number(labels: Sequence[str]) -> NDArray[np.bool_]:
    """(K, K) which classes have names that are the same but for their numbers; none with itself."""
    plain = np.array([re.sub(r"\d+", "0", label) for label in labels], object)
    same = np.asarray(plain[:, None] == plain[None, :], np.bool_)
    return same & ~np.eye(len(labels), dtype=np.bool_)


def numbers_mistaken(
    wanted: NDArray[np.integer], given: NDArray[np.integer], labels: Sequence[str]
) -> dict[str, Any]:
    """How many crops show a sign that another differs from in its number alone, and how many are read as one.

    Args:
        wanted: (N,) true class ids.
        given: (N,) the model's.
        labels: of all classes.

    Returns:
        ``crops``, ``mistaken`` and ``pairs``, which counts "Speed limit 60 as Speed limit 80", most frequent
        first; empty if no names of the classes are so.
    """
    alike = differ_in_number(labels)
    if not alike.any():
        return {}
    mistaken = np.asarray(alike[wanted, given], np.bool_)
    pairs = Counter(zip(wanted[mistaken].tolist(), given[mistaken].tolist()))
    return {
        "crops": int(np.asarray(alike.any(axis=1))[wanted].sum()),
        "mistaken": int(mistaken.sum()),
        "pairs": {f"{labels[own]} as {labels[other]}": count for (own, other), count in pairs.most_common()},
    }
