"""Checks of 1_sign_classifier.ipynb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from course.checks.answers import AnswerError, as_array, called, require_close

Array = NDArray[np.float64]


def softmax(answer: Any) -> None:
    """Exercise 1.1."""
    logits = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 3.0]])
    given = "logits [[2, 1, -1], [0, 0, 3]]"
    kept = logits.copy()
    shares = as_array(called(answer, logits, given=given), logits.shape, given=given)
    if not np.array_equal(logits, kept):
        raise AnswerError("your function changes the logits that it is given; make new ones instead.")
    if np.allclose(shares, np.exp(logits) / np.exp(logits).sum()):
        raise AnswerError(
            f"for {given}, all shares together sum to 1, but each row should; sum over axis 1 alone "
            "and keep that axis (keepdims=True)."
        )
    hint = "divide the exponentials of each row by their sum."
    require_close(shares, _softmax(logits), given=given, hint=hint)
    far = np.array([[1000.0, 0.0], [-1000.0, -1001.0]])
    given = "logits [[1000, 0], [-1000, -1001]]"
    hint = "subtract each row's own largest logit before np.exp."
    with np.errstate(all="ignore"):
        require_close(called(answer, far, given=given), _softmax(far), given=given, hint=hint)


def gradient_of_logits(answer: Any) -> None:
    """Exercise 1.2."""
    shares, wanted = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]]), np.array([0, 2])
    given = "shares [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]] and classes [0, 2]"
    kept = shares.copy()
    gradient = as_array(called(answer, shares, wanted, given=given), shares.shape, given=given)
    right = (shares - np.eye(3)[wanted]) / 2
    if not np.array_equal(shares, kept):
        raise AnswerError("your function changes the shares that it is given; copy them first.")
    if np.allclose(gradient, 2 * right):
        raise AnswerError(
            "this is the gradient of the sum over the rows; the loss is their mean: divide by N."
        )
    if np.allclose(gradient, -right):
        raise AnswerError("the sign is the other way round; the loss falls if the true class's logit rises.")
    hint = "take 1 from the share of each row's true class, leave the others, and divide by N."
    require_close(gradient, right, given=given, hint=hint)


def fast_gradient_sign(answer: Any) -> None:
    """Exercise 1.3."""
    frames = np.array([100.0, 100.0, 100.0, 254.0, 1.0, 0.0]).reshape(1, 1, 2, 3)
    gradient = np.array([0.3, -2.0, 0.0, 1e-9, -1e-9, 5.0]).reshape(1, 1, 2, 3)
    given = "pixels [100, 100, 100, 254, 1, 0], gradients [0.3, -2, 0, 1e-9, -1e-9, 5] and radius 4"
    attacked = as_array(called(answer, frames, gradient, 4.0, given=given), frames.shape, given=given)
    right = np.clip(frames + 4 * np.sign(gradient), 0, 255)
    if np.allclose(attacked, frames + 4 * np.sign(gradient)):
        raise AnswerError(
            f"for {given}, values leave 0…255, which no picture can have; cut them off with np.clip."
        )
    if np.allclose(attacked, np.clip(frames - 4 * np.sign(gradient), 0, 255)):
        raise AnswerError("the pixels move so that the loss falls; an attack makes it rise.")
    if np.allclose(attacked, np.clip(frames + 4 * gradient, 0, 255)):
        raise AnswerError("each pixel moves by its gradient; only the gradient's sign counts (np.sign).")
    hint = "each value moves by the radius in the direction of its gradient's sign."
    require_close(attacked, right, given=given, hint=hint)


def _softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


CHECKS: Mapping[str, Callable[..., None]] = {
    "1.1": softmax,
    "1.2": gradient_of_logits,
    "1.3": fast_gradient_sign,
}
