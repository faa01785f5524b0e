"""Whether an exercise is solved, and if not, what is wrong: ``check("1.1", softmax)`` in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from course.checks import car, ros, segnet, sign_classifier
from course.checks.answers import AnswerError

# Each check takes the answer and raises AnswerError with a sentence that says what is wrong with it.
CHECKS: Mapping[str, Callable[..., None]] = {
    **sign_classifier.CHECKS,
    **segnet.CHECKS,
    **ros.CHECKS,
    **car.CHECKS,
}


def check(exercise: str, *answer: Any) -> None:
    """Print whether an answer is right.

    Args:
        exercise: its number in the notebook, as "1.1".
        answer: what the exercise asks for: a function, a class or a value.
    """
    wrong = verdict(exercise, *answer)
    print(f"{exercise} is right." if wrong is None else f"{exercise} is not right yet: {wrong}")


def verdict(exercise: str, *answer: Any) -> str | None:
    """What is wrong with an answer, as a sentence; None if nothing is.

    Raises:
        KeyError: there is no such exercise.
    """
    if exercise not in CHECKS:
        raise KeyError(f"there is no exercise {exercise!r}; the exercises are {', '.join(CHECKS)}")
    try:
        CHECKS[exercise](*answer)
    except AnswerError as wrong:
        return str(wrong)
    return None
