"""Checks of 4_to_the_car.ipynb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course.checks.answers import AnswerError, called

_CROPS, _CLASSES = 2000, 5


def agree(answer: Any) -> None:
    """4.1: when an exported file says what the net says."""
    rng = np.random.default_rng(0)
    ours = rng.dirichlet(np.full(_CLASSES, 0.2), _CROPS)
    nearly = ours + rng.uniform(-0.004, 0.004, ours.shape)
    nearly[np.arange(_CROPS), ours.argmax(axis=1)] += 0.005
    _says(answer, ours, ours.copy(), True, "the same scores twice")
    _says(answer, ours, nearly, True, "scores that differ by less than 0.01")
    _says(answer, ours, _swapped(ours, 2), True, "2 of 2,000 crops with another class")
    _says(answer, ours, _swapped(ours, 3), False, "3 of 2,000 crops with another class")
    far = ours.copy()
    far[:3, :] = 0.0
    far[np.arange(3), ours[:3].argmax(axis=1)] = 0.5
    far[:3] += ours[:3] * 0.1
    _says(answer, ours, far, False, "3 of 2,000 crops with the same class and scores that are far off")
    unknown = ours.copy()
    unknown[:3] = np.nan
    _says(answer, ours, unknown, False, "3 of 2,000 crops without numbers (nan)")
    close = np.full((_CROPS, 2), 0.5) + np.array([0.002, -0.002])
    _says(answer, close, close[:, ::-1].copy(), False, "scores that are near, with another class each time")


def to_int8(answer: Any) -> None:
    """4.2: whole numbers of one byte."""
    values = np.array([[0.0, 0.26, -0.26, 0.74], [12.7, -12.7, 13.0, -40.0]], np.float32)
    given = "values from -40 to 13 and a scale of 0.1"
    result = called(answer, values, 0.1, given=given)
    if not isinstance(result, np.ndarray) or result.dtype != np.int8:
        kind = result.dtype if isinstance(result, np.ndarray) else type(result).__name__
        raise AnswerError(f"for {given}, it gives {kind}; an array of int8 is expected.")
    if result.shape != values.shape:
        raise AnswerError(f"for {given}, the shape is {result.shape}; {values.shape} is expected.")
    wanted = np.array([[0, 3, -3, 7], [127, -127, 127, -127]], np.int8)
    for value, got, right in zip(values.flat, result.flat, wanted.flat):
        if got != right:
            hint = (
                "numbers beyond one byte wrap around; hold them within -127…127 before they become int8."
                if abs(right) == 127
                else "round to the nearest, and not towards 0."
            )
            raise AnswerError(f"{value:g} becomes {got}, and {right} is right; {hint}")


def choose(answer: Any) -> None:
    """4.3: the most accurate model that is fast enough."""
    models = [
        {"name": "large", "p95_ms": 41.0, "accuracy": 0.98},
        {"name": "middle", "p95_ms": 30.0, "accuracy": 0.97},
        {"name": "small", "p95_ms": 9.0, "accuracy": 0.9},
        {"name": "middle.int8", "p95_ms": 14.0, "accuracy": 0.97},
    ]
    for limit, right, why in (
        (33.0, "middle.int8", "of two that are equally accurate, the faster one is wanted"),
        (100.0, "large", "all are fast enough, and this one is the most accurate"),
        (41.0, "large", "a time that is just kept is kept"),
        (10.0, "small", "no other is fast enough"),
        (5.0, "none", "none is fast enough"),
    ):
        given = f"four models and {limit:g} ms"
        result = called(answer, [dict(model) for model in models], limit, given=given)
        if result != right:
            raise AnswerError(f"for {given}, it gives {result!r}, and {right!r} is right: {why}.")
    if called(answer, [], 33.0, given="no models") != "none":
        raise AnswerError("for no models, it has to give 'none'.")


def _swapped(scores: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """With another class for the first crops."""
    changed = np.array(scores)
    changed[:count] = np.roll(changed[:count], 1, axis=1)
    return changed


def _says(
    answer: Any, ours: NDArray[np.float64], theirs: NDArray[np.float64], right: bool, given: str
) -> None:
    result = called(answer, ours, theirs, given=given)
    if not isinstance(result, bool | np.bool_):
        raise AnswerError(f"for {given}, it gives a {type(result).__name__}; return True or False.")
    if bool(result) != right:
        raise AnswerError(f"for {given}, it says {bool(result)}, and {right} is right.")


CHECKS: Mapping[str, Callable[..., None]] = {"4.1": agree, "4.2": to_int8, "4.3": choose}
