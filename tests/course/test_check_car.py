"""Checks of the parts about ROS 2 and the car accept the solutions, and say what is wrong with others."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="exercise 3.1 is about ROS 2")

from rclpy.qos import QoSProfile, ReliabilityPolicy

from course.check import verdict
from course.solutions import car, ros


def by_reliability(offered: QoSProfile, asked: QoSProfile) -> bool:
    return not (
        asked.reliability == ReliabilityPolicy.RELIABLE and offered.reliability != ReliabilityPolicy.RELIABLE
    )


def only_equal(offered: QoSProfile, asked: QoSProfile) -> bool:
    return bool(offered.reliability == asked.reliability and offered.durability == asked.durability)


def straight(state: str, goal: str) -> list[str]:
    return {"active": ["activate"], "inactive": ["deactivate"], "unconfigured": ["cleanup"]}[goal]


def twice(state: str, goal: str) -> list[str]:
    return [*ros.way_to(state, goal), *ros.way_to(goal, "inactive"), *ros.way_to("inactive", goal)]


def nowhere(state: str, goal: str) -> list[str]:
    return []


def gaps(stamps_ns: list[int]) -> int:
    steps = np.diff(stamps_ns)
    return int((steps > 1.5 * np.median(steps)).sum())


def by_ten_hertz(stamps_ns: list[int]) -> int:
    return int(np.sum(np.rint(np.diff(stamps_ns) / 1e8) - 1))


def classes_alone(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.999)


def scores_alone(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool((np.abs(ours - theirs) <= 0.01).all(axis=1).mean() >= 0.999)


def all_crops(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool(np.abs(ours - theirs).max() <= 0.01)


def blind_to_nan(ours: np.ndarray, theirs: np.ndarray) -> bool:
    far = (np.abs(ours - theirs) > 0.01).any(axis=1)
    other = np.nan_to_num(ours).argmax(axis=1) != np.where(np.isnan(theirs), ours, theirs).argmax(axis=1)
    return bool((far | other).mean() <= 0.001)


def wraps(values: np.ndarray, scale: float) -> np.ndarray:
    return np.rint(values / scale).astype(np.int64).astype(np.int8)


def towards_zero(values: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(values / scale, -127, 127).astype(np.int8)


def floats(values: np.ndarray, scale: float) -> np.ndarray:
    return np.clip(np.rint(values / scale), -127, 127)


def fastest(models: list[dict[str, Any]], limit_ms: float) -> str:
    return min(models, key=lambda model: model["p95_ms"])["name"]


def first_of_equals(models: list[dict[str, Any]], limit_ms: float) -> str:
    fast = [model for model in models if model["p95_ms"] <= limit_ms]
    return max(fast, key=lambda model: model["accuracy"])["name"]


@pytest.mark.parametrize(
    ("exercise", "answer", "says"),
    [
        ("3.1", by_reliability, "nothing arrives; look at durability"),
        ("3.1", only_equal, "messages arrive, because each thing that is asked for is offered"),
        ("3.1", lambda offered, asked: 1, "return True or False"),
        ("3.2", straight, "'cleanup' where the node is unconfigured, which has only configure"),
        ("3.2", twice, "has 2 transitions; 0 are enough"),
        ("3.2", nowhere, "is [], and the node is unconfigured then"),
        ("3.2", lambda state, goal: "activate", "give a list of names"),
        ("3.3", gaps, "for a gap of four usual ones, it gives 1; 3 are missing"),
        ("3.3", by_ten_hertz, "for a slower camera with one gap"),
        ("3.3", lambda stamps_ns: "none", "give a number"),
        ("4.1", classes_alone, "the same class and scores that are far off, it says True"),
        ("4.1", scores_alone, "scores that are near, with another class each time, it says True"),
        ("4.1", all_crops, "2 of 2,000 crops with another class, it says False"),
        ("4.1", blind_to_nan, "without numbers (nan), it says True"),
        ("4.2", wraps, "13 becomes -126, and 127 is right; numbers beyond one byte wrap around"),
        ("4.2", towards_zero, "0.26 becomes 2, and 3 is right; round to the nearest"),
        ("4.2", floats, "an array of int8 is expected"),
        ("4.3", fastest, "it gives 'small', and 'middle.int8' is right: of two that are equally accurate"),
        ("4.3", first_of_equals, "it gives 'middle', and 'middle.int8' is right"),
    ],
)
def test_a_wrong_answer_is_refused_with_what_is_wrong(exercise: str, answer: Any, says: str) -> None:
    assert says in str(verdict(exercise, answer))


@pytest.mark.parametrize(
    ("exercise", "solution"),
    [
        ("3.1", ros.connects),
        ("3.2", ros.way_to),
        ("3.3", ros.count_lost),
        ("4.1", car.agree),
        ("4.2", car.to_int8),
        ("4.3", car.choose),
    ],
)
def test_a_solution_is_right_and_an_empty_answer_is_nothing_yet(exercise: str, solution: Any) -> None:
    assert verdict(exercise, solution) is None
    assert "there is nothing yet" in str(verdict(exercise, lambda *_: ...))
