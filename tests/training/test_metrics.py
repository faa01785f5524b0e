"""Measures against values that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_f1_score,
    multiclass_jaccard_index,
    multiclass_precision,
    multiclass_recall,
)

from perception.tasks import UNLABELLED
from training.metrics import (
    boundary_f1,
    calibration_error,
    confusion_matrix,
    false_alarms,
    iou,
    precision_recall_f1,
    reliability,
)

CLASSES = 2


def halves(column: int, *, side: int = 100) -> np.ndarray:
    """Class 0 left of a column, class 1 from it on."""
    ids = np.zeros((side, side), np.uint8)
    ids[:, column:] = 1
    return ids


def test_a_boundary_counts_within_the_tolerance_and_not_beyond() -> None:
    # 0.75 % of a diagonal of 141 px is 1.06 px.
    for shift, wanted in ((0, 1.0), (1, 1.0), (2, 0.0)):
        given = boundary_f1(halves(50), halves(50 + shift), classes=CLASSES)
        np.testing.assert_allclose(given, wanted)


def test_boundary_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    wanted = np.zeros((100, 100), np.uint8)
    wanted[10:20, 10:20] = 1
    given = wanted.copy()
    given[50:80, 50:80] = 1  # far from all that is true
    precision, recall = 36 / (36 + 116), 1.0
    for truth, answer in ((wanted, given), (given, wanted)):
        score = boundary_f1(truth, answer, classes=CLASSES)[1]
        assert score == pytest.approx(2 * precision * recall / (precision + recall))


def test_measures_are_those_of_torchmetrics() -> None:
    rng = np.random.default_rng(0)
    ids, given = rng.integers(0, 4, (2, 500))
    confusion = np.bincount(5 * ids + given, minlength=20).reshape(4, 5)
    pair = torch.from_numpy(given), torch.from_numpy(ids)
    options = {"num_classes": 4, "average": "none"}
    wanted = [f(*pair, **options) for f in (multiclass_precision, multiclass_recall, multiclass_f1_score)]
    np.testing.assert_allclose(precision_recall_f1(confusion[:, :4]).T, torch.stack(wanted), rtol=1e-6)
    np.testing.assert_allclose(iou(confusion), multiclass_jaccard_index(*pair, **options), rtol=1e-6)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    error = binary_calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct).int(), n_bins=15)
    # torchmetrics takes confidence and correctness of the class 1.
    assert calibration_error(confidence, correct) == pytest.approx(float(error), abs=1e-6)


def test_classes_without_an_outline_are_left_out_and_missed_ones_count_as_zero() -> None:
    assert np.isnan(boundary_f1(halves(50), halves(50), classes=3)[2])
    assert np.isnan(boundary_f1(np.zeros((9, 9), np.uint8), halves(4, side=9), classes=CLASSES)).all()
    assert boundary_f1(halves(50), np.zeros((100, 100), np.uint8), classes=CLASSES)[1] == 0.0


def test_unlabelled_pixels_neither_help_nor_harm_a_boundary() -> None:
    wanted = halves(50)
    wanted[60:] = 255
    given = halves(50)
    given[60:, ::2] = 1
    np.testing.assert_allclose(boundary_f1(wanted, given, classes=CLASSES), 1.0)


def test_reliability_tells_confidence_accuracy_and_share() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.3, 1.0])
    correct = np.array([True, True, True, False, False, True])
    bins = reliability(confidence, correct, bins=5)
    np.testing.assert_allclose(bins[4], [0.92, 0.8, 5 / 6])
    np.testing.assert_allclose(bins[1], [0.3, 0.0, 1 / 6])
    assert np.isnan(bins[0, :2]).all() and bins[0, 2] == 0
    assert calibration_error(confidence, correct, bins=5) == pytest.approx(0.12 * 5 / 6 + 0.3 / 6)


def test_false_alarms_at_a_share_of_accepted_signs() -> None:
    signs = np.linspace(0.01, 1, 100)
    background = np.array([0.005, 0.02, 0.04, 0.5])
    assert false_alarms(signs, background, accepted=0.95) == 0.25
    assert false_alarms(signs, background, accepted=0.99) == 0.75
    assert false_alarms(np.ones(5), np.ones(2), accepted=0.95) == 1.0  # nothing tells them apart
    few = np.linspace(0.1, 1, 10)  # all must pass for 95 % to do so
    assert false_alarms(few, np.array([0.05, 0.11]), accepted=0.95) == 0.5


def test_an_answer_of_no_class_is_a_miss_and_no_other_class() -> None:
    wanted = np.array([[0, 0, 1, 1, UNLABELLED]], np.uint8)
    given = np.array([[0, UNLABELLED, 1, 0, UNLABELLED]], np.uint8)
    confusion = confusion_matrix(wanted, given, 2)
    assert confusion.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert iou(confusion).tolist() == [1 / 3, 1 / 2]


def test_what_is_as_far_away_as_the_tolerance_is_nearby() -> None:
    wanted, given = (np.zeros((30, 40), np.uint8) for _ in range(2))  # 50 px from corner to corner
    wanted[:, 20:], given[:, 21:] = 1, 1
    np.testing.assert_allclose(boundary_f1(wanted, given, classes=CLASSES, tolerance=0.02), 1.0)
    np.testing.assert_allclose(boundary_f1(wanted, given, classes=CLASSES, tolerance=0.0199), 0.0)


def test_a_boundary_that_is_mostly_wrong_and_mostly_missed() -> None:
    wanted, given = (np.zeros((100, 100), np.uint8) for _ in range(2))
    for row in (10, 40, 70):
        wanted[row : row + 10, 10:20] = 1
    for row in (10, 40):
        given[row : row + 10, 50:60] = 1
    given[70:80, 10:20] = 1  # one of three squares is found, one of three answers is right
    assert boundary_f1(wanted, given, classes=CLASSES)[1] == pytest.approx(1 / 3)


def test_classes_from_k_on_are_unlabelled() -> None:
    assert confusion_matrix(np.array([0, 2, 3]), np.array([0, 0, 1]), 2).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_reliability_has_fifteen_bins_as_the_paper_has() -> None:
    bins = reliability(np.array([0.0, 0.07, 1.0]), np.array([False, True, True]))
    assert bins.shape == (15, 3)
    np.testing.assert_allclose(bins[[0, 1, 14], 2], 1 / 3)
    in_one_bin = calibration_error(np.array([0.62, 0.66]), np.array([True, False]))
    assert in_one_bin == pytest.approx(0.64 - 0.5)
