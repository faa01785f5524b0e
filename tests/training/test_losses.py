"""The losses do what their names say."""

from __future__ import annotations

import math

import pytest
import torch

from perception.tasks import UNLABELLED
from training.losses import class_weights, soft_iou


def test_soft_iou_is_the_iou_of_sure_answers_and_skips_what_does_not_count() -> None:
    ids = torch.tensor([[[0, 0, 1, 1, UNLABELLED]]])
    sure = torch.nn.functional.one_hot(torch.tensor([[[0, 1, 1, 1, 0]]]), 3).movedim(-1, 1) * 100.0
    # Class 0: one of two pixels is right. Class 1: both, and one too many. Class 2 does not occur.
    assert soft_iou(sure, ids).item() == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)
    surer = (2 * sure).requires_grad_()  # the probability of class 2 is nothing at all
    soft_iou(surer, ids).backward()
    assert surer.grad.isfinite().all()


def test_rare_classes_weigh_more() -> None:
    weights = class_weights(torch.tensor([0.0, 0.01, 0.99]))
    assert weights[0] / weights[2] == pytest.approx(math.log(2.09) / math.log(1.10))
    assert weights[0] > weights[1] > weights[2]
