"""Measures against values that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import boundary_f1, calibration_error, false_alarms, reliability

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
    wanted, given = halves(50), halves(50)
    given[50:] = 0  # half of the outline is missing
    # Class 1 has 50 pixels right and 50 along a new edge, whose one at the old outline is near it.
    score = boundary_f1(wanted, given, classes=CLASSES)[1]
    precision, recall = 51 / 99, 51 / 100
    assert score == pytest.approx(2 * precision * recall / (precision + recall), abs=0.01)


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
