"""What all checks need: to call an answer without trusting it, and to compare what it gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOTHING_YET = "there is nothing yet; put your answer in place of the three dots."


class AnswerError(Exception):
    """An answer is wrong; the text is a sentence that says how, and if possible what to look at."""


def called(answer: Any, *arguments: Any, given: str) -> Any:
    """What an answer returns.

    Args:
        answer: the function of an exercise.
        arguments: for it.
        given: the arguments in words, as "logits of shape (2, 3)".

    Raises:
        AnswerError: it is no function, raises, or returns nothing or the three dots that it had at first.
    """
    if answer is ... or answer is None:
        raise AnswerError(NOTHING_YET)
    if not callable(answer):
        raise AnswerError(
            f"this is a value ({type(answer).__name__}); give the function itself, without calling it."
        )
    try:
        result = answer(*arguments)
    except Exception as error:  # whatever a reader's code raises is what is wrong with it
        raise AnswerError(f"for {given}, it raises {type(error).__name__}: {error}") from error
    if result is ...:
        raise AnswerError(NOTHING_YET)
    if result is None:
        raise AnswerError(f"for {given}, it returns None; end it with a return.")
    return result


def as_array(result: Any, shape: tuple[int, ...], *, given: str) -> NDArray[np.float64]:
    """A result as numbers of this shape.

    Raises:
        AnswerError: it holds anything else.
    """
    try:
        values = np.asarray(result.detach() if hasattr(result, "detach") else result, np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AnswerError(
            f"for {given}, it gives a {type(result).__name__} that holds no numbers."
        ) from error
    if values.shape != shape:
        raise AnswerError(f"for {given}, the result has the shape {values.shape}; {shape} is expected.")
    return values


def require_close(result: Any, wanted: ArrayLike, *, given: str, hint: str, tolerance: float = 1e-5) -> None:
    """Compare a result with the right one.

    Raises:
        AnswerError: its shape or a value is another; the sentence names the first such value, and the hint.
    """
    right = np.asarray(wanted, np.float64)
    values = as_array(result, right.shape, given=given)
    if not np.isfinite(values).all():
        raise AnswerError(f"for {given}, the result holds nan or inf; {hint}")
    far = np.abs(values - right) > tolerance * (1 + np.abs(right))
    if far.any():
        place = tuple(int(axis[0]) for axis in np.nonzero(far))
        at = f"the value at {list(place)}" if place else "the result"
        raise AnswerError(f"for {given}, {at} is {values[place]:.4g}; expected {right[place]:.4g}; {hint}")
