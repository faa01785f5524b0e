"""Threads: how many a model gets on the CPU."""

from __future__ import annotations

import os
import sys

_models = 1  # that run at the same time in this process


def share_cores(models: int) -> None:
    """Share the cores out among so many models, which are opened after this and run at the same time.

    Otherwise each would have as many threads as there are cores, and they would wait for each other.
    """
    # How many models run at the same time is a fact of the process, which the engines cannot know.
    global _models  # noqa: PLW0603
    _models = models


def threads() -> int:
    """How many threads a model gets that is opened now; one at least."""
    return max(1, cores() // _models)


def cores() -> int:
    """How many processor cores this process may use; all cores if the system does not say."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
