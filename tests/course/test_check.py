"""Checks accept the solutions, and say what is wrong with other answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from course.check import CHECKS, check, verdict
from course.solutions import segnet, sign_classifier


def too_large(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def of_all(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def in_place(logits: np.ndarray) -> np.ndarray:
    logits -= logits.max(axis=1, keepdims=True)
    return too_large(logits)


def of_the_sum(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return sign_classifier.gradient_of_logits(shares, wanted) * len(wanted)


def downhill(shares: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return -sign_classifier.gradient_of_logits(shares, wanted)


def no_picture(frames: np.ndarray, gradient: np.ndarray, radius: float) -> np.ndarray:
    return frames + radius * np.sign(gradient)


def by_gradient(frames: np.ndarray, gradient: np.ndarray, radius: float) -> np.ndarray:
    return np.clip(frames + radius * gradient, 0, 255)


def repeated(values: np.ndarray, phases: np.ndarray) -> np.ndarray:
    return values.repeat(2, axis=0).repeat(2, axis=1)


def turned(values: np.ndarray, phases: np.ndarray) -> np.ndarray:
    return segnet.unpool_by_hand(values, phases // 2 + 2 * (phases % 2))


def with_uncounted(mask: np.ndarray, truth: np.ndarray, class_id: int) -> float:
    given, wanted = mask == class_id, truth == class_id
    return float((given & wanted).sum() / (given | wanted).sum())


def found_of_wanted(mask: np.ndarray, truth: np.ndarray, class_id: int) -> float:
    return float((mask[truth == class_id] == class_id).mean())


def before_pooling(batch: int, height: int, width: int, bytes_each: int) -> int:
    return 4 * segnet.bytes_of_positions(batch, height, width, bytes_each)


def one_picture(batch: int, height: int, width: int, bytes_each: int) -> int:
    return segnet.bytes_of_positions(1, height, width, bytes_each)


@pytest.mark.parametrize(
    ("exercise", "answer", "says"),
    [
        ("1.1", too_large, "[[1000, 0], [-1000, -1001]], the result holds nan or inf; subtract"),
        ("1.1", of_all, "each row should"),
        ("1.1", in_place, "changes the logits"),
        ("1.1", lambda logits: logits[0], "the result has the shape (3,); (2, 3) is expected"),
        ("1.1", lambda logits: 1 / 0, "it raises ZeroDivisionError: division by zero"),
        ("1.1", lambda logits: None, "it returns None"),
        ("1.1", lambda logits: "shares", "holds no numbers"),
        ("1.1", 3, "give the function itself"),
        ("1.2", of_the_sum, "divide by N"),
        ("1.2", downhill, "the other way round"),
        ("1.2", lambda shares, wanted: shares / len(shares), "the value at [0, 0] is 0.35; expected -0.15"),
        ("1.3", no_picture, "np.clip"),
        ("1.3", by_gradient, "np.sign"),
        ("2.1", repeated, "all four pixels"),
        ("2.1", turned, "rows and columns are exchanged"),
        ("2.2", with_uncounted, "whose truth is 255"),
        ("2.2", found_of_wanted, "in the answer alone"),
        ("2.3", before_pooling, "after the pooling"),
        ("2.3", one_picture, "multiply by the batch"),
    ],
)
def test_a_wrong_answer_is_refused_with_what_is_wrong(
    exercise: str, answer: Any, says: str, capsys: pytest.CaptureFixture
) -> None:
    check(exercise, answer)
    said = capsys.readouterr().out
    assert said.startswith(f"{exercise} is not right yet: ") and says in said


@pytest.mark.parametrize("exercise", ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"])
def test_an_empty_exercise_is_no_mistake_but_nothing_yet(exercise: str) -> None:
    assert "there is nothing yet" in str(verdict(exercise, lambda *_: ...))
    assert "there is nothing yet" in str(verdict(exercise, ...))


@pytest.mark.parametrize(
    ("exercise", "solution"),
    [
        ("1.1", sign_classifier.softmax),
        ("1.2", sign_classifier.gradient_of_logits),
        ("1.3", sign_classifier.fast_gradient_sign),
        ("2.1", segnet.unpool_by_hand),
        ("2.2", segnet.iou),
        ("2.3", segnet.bytes_of_positions),
    ],
)
def test_a_solution_is_right(
    exercise: str, solution: Callable[..., Any], capsys: pytest.CaptureFixture
) -> None:
    check(exercise, solution)
    assert capsys.readouterr().out == f"{exercise} is right.\n"


def test_an_exercise_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(KeyError, match=r"no exercise '9\.9'; the exercises are 1\.1, 1\.2"):
        verdict("9.9", None)
    assert len(CHECKS) >= 6
