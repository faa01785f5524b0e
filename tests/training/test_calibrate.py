"""What is fitted to logits before export is right for others of the same kind."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from perception.spec import ModelSpec
from training.calibrate import fit_temperature
from training.signs.graph import calibrate_signs
from training.signs.task import known_logit

SHARES = torch.tensor([0.9, 0.08, 0.02])


@pytest.mark.parametrize(("factor", "wanted"), [(100.0, 3.0), (0.001, 0.3), (1.0, 0.3 * 10 ** (31 / 60))])
def test_a_temperature_is_one_of_61_between_a_third_and_three(factor: float, wanted: float) -> None:
    ids = torch.arange(1000) % 1000 // 750  # three of four are of the first class
    odds = math.log(3.0) * wanted if factor == 1.0 else factor * math.log(3.0)
    logits = torch.tensor([odds, 0.0]).expand(1000, 2)
    assert fit_temperature(logits, ids) == pytest.approx(wanted, rel=1e-5)


def test_temperature_takes_back_what_was_exaggerated() -> None:
    ids = torch.multinomial(torch.tensor([[0.7, 0.2, 0.1]]).expand(5_000, 3), 1)[:, 0]
    honest = torch.tensor([0.7, 0.2, 0.1]).log().expand(5_000, 3)
    assert fit_temperature(2.0 * honest, ids) == pytest.approx(2.0, rel=0.15)


def test_known_is_set_where_99_of_100_signs_pass() -> None:
    logits, ids = signs(5_000)
    found, threshold = calibrate_signs(logits, ids, None, has_learnt=False)
    passes = known_logit(logits) >= found["known_offset"]
    assert float(passes.float().mean()) == pytest.approx(0.99, abs=0.001)
    assert found["temperature"] != 1.0
    assert threshold == 0.5


def test_too_few_signs_calibrate_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    found, threshold = calibrate_signs(*signs(50), None, has_learnt=False)
    assert (found["temperature"], threshold) == (1.0, 0.5)
    assert found["known_offset"] == pytest.approx(math.log(3.0))
    assert "50 crops validate, and 100 are needed" in capsys.readouterr().out


def test_crops_that_were_learnt_from_calibrate_nothing() -> None:
    found, threshold = calibrate_signs(*signs(5_000), None, has_learnt=True)
    assert (found["temperature"], threshold) == (1.0, 0.5)
    assert found["known_offset"] == pytest.approx(math.log(3.0))


def test_another_model_calibrates() -> None:
    like = ModelSpec(
        task="signs",
        labels=("a", "b", "c"),
        palette=((0, 0, 0),) * 3,
        input_hw=(48, 48),
        calibration={"temperature": 0.7, "known_offset": 2.0},
        thresholds={"known": 0.4},
    )
    assert calibrate_signs(*signs(5_000), like, has_learnt=True) == (like.calibration, 0.4)


def signs(count: int) -> tuple[Tensor, Tensor]:
    """What a net says that knows three classes by noisy evidence; "no known sign" is never right."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.multinomial(SHARES, count, replacement=True, generator=generator)
    evidence = torch.eye(3)[ids] * 2.0 + torch.randn(count, 3, generator=generator)
    logits = evidence * 2.0 + 1.5 * SHARES.log()
    return torch.cat([logits, torch.full((count, 1), -1.0)], dim=1), ids
