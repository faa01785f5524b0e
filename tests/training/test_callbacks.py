"""The running average of the weights follows short and long runs."""

from __future__ import annotations

import pytest
import torch

from training.callbacks import DECAY, running_average


def test_the_average_of_a_short_run_is_not_its_start() -> None:
    average = torch.zeros(1)
    for step in range(100):
        average = running_average(average, torch.tensor([float(step)]), torch.tensor(step))
    assert 80 < average < 95
    late = running_average(torch.zeros(1), torch.ones(1), torch.tensor(10**6))
    assert late == pytest.approx(1 - DECAY, rel=0.01)
