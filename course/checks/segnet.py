"""Checks of 2_segnet.ipynb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from course.checks.answers import AnswerError, as_array, called, require_close

CHANNELS = (64, 128, 256, 512, 512)  # before the paper's five poolings


def unpool_by_hand(answer: Any) -> None:
    """Exercise 2.1."""
    import torch

    from training.segmentation.phases import unpool

    values = np.array([[5.0, 4.0, -1.0], [7.0, 8.0, 2.0]], np.float32)
    phases = np.array([[1, 2, 0], [0, 3, 2]], np.uint8)
    given = "values [[5, 4, -1], [7, 8, 2]] and phases [[1, 2, 0], [0, 3, 2]]"
    result = as_array(called(answer, values.copy(), phases.copy(), given=given), (4, 6), given=given)
    right = unpool(torch.from_numpy(values)[None, None], torch.from_numpy(phases)[None, None])[0, 0].numpy()
    if np.array_equal(result, np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)):
        raise AnswerError("each value is in all four pixels of its window; it belongs to one of them alone.")
    turned = phases // 2 + 2 * (phases % 2)
    swapped = unpool(torch.from_numpy(values)[None, None], torch.from_numpy(turned)[None, None])[0, 0].numpy()
    if np.array_equal(result, swapped):
        raise AnswerError(
            "rows and columns are exchanged; phase 1 is to the right of phase 0, and 2 below it."
        )
    hint = "phases 0 and 1 are the upper row of a window, 2 and 3 the lower one; all else is 0."
    require_close(result, right, given=given, hint=hint, tolerance=0.0)


def iou(answer: Any) -> None:
    """Exercise 2.2."""
    mask = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [2, 2, 1, 0]], np.uint8)
    truth = np.array([[0, 0, 0, 1], [0, 0, 1, 1], [2, 0, 255, 255]], np.uint8)
    given = "the answer [[0, 0, 1, 1], [0, 1, 1, 1], [2, 2, 1, 0]], truth "
    given += "[[0, 0, 0, 1], [0, 0, 1, 1], [2, 0, 255, 255]]"
    for class_id, right, with_all, accuracy in ((0, 3 / 6, 3 / 7, 3 / 6), (1, 3 / 5, 3 / 6, 1.0)):
        said = f"{given} and class {class_id}"
        result = as_array(called(answer, mask.copy(), truth.copy(), class_id, given=said), (), given=said)
        if np.isclose(result, with_all):
            raise AnswerError(
                f"for {said}, you count pixels whose truth is 255; leave them out of both sides."
            )
        if class_id == 1 and np.isclose(result, accuracy):
            raise AnswerError(
                "you divide by the pixels whose truth is the class; those that are it in the answer alone "
                "count as well."
            )
        hint = "count where both are the class, and divide by where at least one of them is."
        require_close(result, right, given=said, hint=hint)


def bytes_of_positions(answer: Any) -> None:
    """Exercise 2.3."""
    for batch, height, width, each in ((1, 32, 64, 1), (4, 384, 480, 8)):
        given = f"batch {batch}, {height} × {width} and {each} bytes each"
        result = float(as_array(called(answer, batch, height, width, each, given=given), (), given=given))
        right = positions(batch, height, width) * each
        if result == 4 * right:
            raise AnswerError(
                f"for {given}, this is four times too much; there is one position for each 2 × 2 window, so "
                "take height and width after the pooling."
            )
        if result * each == right and each > 1:
            raise AnswerError(f"for {given}, you count positions; multiply by the bytes of each.")
        if result * batch == right and batch > 1:
            raise AnswerError(f"for {given}, this is one picture; multiply by the batch.")
        hint = "the k-th pooling (from 1) leaves height / 2ᵏ × width / 2ᵏ positions for each of its channels."
        require_close(result, right, given=given, hint=hint, tolerance=0.0)


def positions(batch: int, height: int, width: int) -> int:
    """Windows of all five poolings."""
    return sum(
        batch * channels * (height >> k) * (width >> k) for k, channels in enumerate(CHANNELS, start=1)
    )


CHECKS: Mapping[str, Callable[..., None]] = {
    "2.1": unpool_by_hand,
    "2.2": iou,
    "2.3": bytes_of_positions,
}
