"""Answers to the exercises of 3_ros.ipynb."""

from __future__ import annotations

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy


def connects(offered: QoSProfile, asked: QoSProfile) -> bool:
    """Whether messages go from a publisher to a subscriber."""
    # Each of the two strong qualities has to be offered where it is asked for.
    is_reliable = asked.reliability != ReliabilityPolicy.RELIABLE or offered.reliability == asked.reliability
    is_kept = asked.durability != DurabilityPolicy.TRANSIENT_LOCAL or offered.durability == asked.durability
    return bool(is_reliable and is_kept)


def way_to(state: str, goal: str) -> list[str]:
    """The transitions from a state to another."""
    # Up or down a ladder of three states.
    ladder = ["unconfigured", "inactive", "active"]
    up, down = ["configure", "activate"], ["cleanup", "deactivate"]
    here, there = ladder.index(state), ladder.index(goal)
    return up[here:there] if here <= there else down[there:here][::-1]


def count_lost(stamps_ns: list[int]) -> int:
    """How many frames are not among those that came."""
    # A gap of so many usual ones lacks one frame less.
    gaps = np.diff(stamps_ns)
    return int(np.sum(np.rint(gaps / np.median(gaps)) - 1))
