"""How long a notebook computes: as long as its text says, or a few steps where tests run it."""

from __future__ import annotations

import os

SHORT = "PERCEPTION_COURSE_SHORT"


def length(full: int, *, short: int) -> int:
    """A number of steps or pictures.

    Args:
        full: what the text of the notebook speaks of.
        short: what tests take, which set PERCEPTION_COURSE_SHORT=1 and look only for whether all cells run.
    """
    return short if os.environ.get(SHORT) == "1" else full
