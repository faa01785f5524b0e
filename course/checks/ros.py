"""Checks of 3_ros.ipynb."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, product
from typing import Any

from course.checks.answers import AnswerError, called

# State → transition → the state after it.
LIFECYCLE: Mapping[str, Mapping[str, str]] = {
    "unconfigured": {"configure": "inactive"},
    "inactive": {"activate": "active", "cleanup": "unconfigured"},
    "active": {"deactivate": "inactive"},
}
_PERIOD_NS = 100_000_000


def connects(answer: Any) -> None:
    """3.1: which publishers a subscriber hears."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    qualities = [
        QoSProfile(depth=10, reliability=reliability, durability=durability)
        for reliability, durability in product(
            (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
            (DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE),
        )
    ]
    for offered, asked in product(qualities, qualities):
        given = f"{_words(offered)} offered and {_words(asked)} asked for"
        result = called(answer, offered, asked, given=given)
        if not isinstance(result, bool):
            raise AnswerError(f"for {given}, it gives a {type(result).__name__}; return True or False.")
        gaps = [
            name
            for name, strong in (
                ("reliability", ReliabilityPolicy.RELIABLE),
                ("durability", DurabilityPolicy.TRANSIENT_LOCAL),
            )
            if getattr(asked, name) == strong != getattr(offered, name)
        ]
        if result and gaps:
            raise AnswerError(f"for {given}, nothing arrives; look at {' and '.join(gaps)}.")
        if not result and not gaps:
            raise AnswerError(
                f"for {given}, messages arrive, because each thing that is asked for is offered."
            )


def way_to(answer: Any) -> None:
    """3.2: the way from one state to another."""
    for state, goal in product(LIFECYCLE, LIFECYCLE):
        given = f"way_to({state!r}, {goal!r})"
        path = called(answer, state, goal, given=given)
        if isinstance(path, str) or not isinstance(path, Iterable):
            raise AnswerError(f"{given} is a {type(path).__name__}; give a list of names.")
        path, now = list(path), state
        for name in path:
            if name not in LIFECYCLE[now]:
                allowed = " and ".join(LIFECYCLE[now])
                raise AnswerError(f"{given} has {name!r} where the node is {now}, which has only {allowed}.")
            now = LIFECYCLE[now][name]
        if now != goal:
            raise AnswerError(f"{given} is {path}, and the node is {now} then.")
        if len(path) > (direct := abs([*LIFECYCLE].index(state) - [*LIFECYCLE].index(goal))):
            raise AnswerError(f"{given} has {len(path)} transitions; {direct} are enough.")


def count_lost(answer: Any) -> None:
    """3.3: frames that a camera lost."""
    jitter = (0, 4_000_000, -6_000_000, 3_000_000, 0, -2_000_000, 5_000_000)
    for numbers, what in (
        (range(20), "20 frames without a gap"),
        ((0, 1, 2, 4, 5, 6, 7), "a gap of two usual ones"),
        ((0, 1, 2, 3, 7, 8, 9, 10), "a gap of four usual ones"),
        ((0, 1, 3, 4, 5, 7, 8, 9, 10, 11), "two gaps of two usual ones each"),
    ):
        stamps = [number * _PERIOD_NS + jitter[index % 7] for index, number in enumerate(numbers)]
        _require_lost(answer, stamps, what)
    _require_lost(
        answer, [stamp * 1_000_000 for stamp in (0, 250, 750, 1000, 1250)], "a slower camera with one gap"
    )


def _require_lost(answer: Any, stamps: Sequence[int], what: str) -> None:
    result = called(answer, list(stamps), given=what)
    gaps = sorted(after - before for before, after in pairwise(stamps))
    usual = gaps[len(gaps) // 2]
    wanted = sum(round(gap / usual) - 1 for gap in gaps)
    try:
        value = float(result)
    except (TypeError, ValueError) as error:
        raise AnswerError(f"for {what}, it gives a {type(result).__name__}; give a number.") from error
    if value != wanted:
        raise AnswerError(f"for {what}, it gives {value:g}; {wanted} are missing.")


def _words(qos: Any) -> str:
    return f"{qos.reliability.name} and {qos.durability.name}"


CHECKS: Mapping[str, Callable[..., None]] = {
    "3.1": connects,
    "3.2": way_to,
    "3.3": count_lost,
}
