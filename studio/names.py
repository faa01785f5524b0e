"""Names of new files and folders, from what somebody typed."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import count


def plain(name: str, otherwise: str) -> str:
    """A name without what paths and shells give a meaning to, or another one if nothing is left of it."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or otherwise


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it if it is taken."""
    if name not in taken:
        return name
    return next(each for number in count(2) if (each := f"{name}-{number}") not in taken)
