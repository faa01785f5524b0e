"""What is fitted to logits before export helps on others of the same kind."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from perception.spec import ModelSpec
from training import calibrate
from training.calibrate import fit_offsets, fit_temperature
from training.signs.graph import calibrate_signs
from training.signs.task import known_logit

SHARES = torch.tensor([0.9, 0.08, 0.02])


def answers(count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """What a net says that knows the classes by noisy evidence and by how frequent they are."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.multinomial(SHARES, count, replacement=True, generator=generator)
    evidence = torch.eye(3)[ids] * 2.0 + torch.randn(count, 3, generator=generator)
    return evidence * 2.0 + 1.5 * SHARES.log(), ids


def miou(logits: Tensor, ids: Tensor) -> float:
    given = logits.argmax(dim=1)
    ious = [((given == k) & (ids == k)).sum() / ((given == k) | (ids == k)).sum() for k in range(3)]
    return float(torch.stack(ious).mean())


def test_offsets_find_the_rare_classes_of_other_pictures_too() -> None:
    offsets = fit_offsets(*answers(20_000, seed=0))
    logits, ids = answers(20_000, seed=1)
    assert miou(logits + offsets, ids) > miou(logits, ids) + 0.03
    assert offsets[2] > offsets[0]


def test_more_logits_than_can_be_searched_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, ids = answers(20_000, seed=0)
    wanted = fit_offsets(logits[::3], ids[::3])
    monkeypatch.setattr(calibrate, "MOST_LOGITS", logits.numel() // 3 + 1)
    assert torch.equal(fit_offsets(logits, ids), wanted)


@pytest.mark.parametrize(
    ("lacking", "sure", "wanted"),
    [((0.5, 1.5, 2.5), 9.0, 3.0), ((0.3,), 0.6, 0.5), ((0.1,), 0.4, 0.25), ((0.4,), 0.1, 0.0)],
)
def test_a_class_is_favoured_as_far_as_it_gains_and_no_other_loses(
    lacking: tuple[float, ...], sure: float, wanted: float
) -> None:
    """Two classes: ten pixels are surely of the first one, and the second lacks so much in its own pixels."""
    logits = torch.tensor([[sure, 0.0]] * 10 + [[value, 0.0] for value in lacking])
    ids = torch.tensor([0] * 10 + [1] * len(lacking))
    assert fit_offsets(logits, ids).tolist() == [0.0, wanted]
    assert logits[0].tolist() == torch.tensor([sure, 0.0]).tolist()  # the caller's are as they were


def test_as_many_logits_as_can_be_searched_are_all_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, ids = torch.tensor([[0.3, 0.0], [0.6, 0.0]]), torch.tensor([1, 0])
    monkeypatch.setattr(calibrate, "MOST_LOGITS", 4)
    assert fit_offsets(logits, ids).tolist() == [0.0, 0.5]  # without the second pixel it would be 1


@pytest.mark.parametrize(("factor", "wanted"), [(100.0, 3.0), (0.001, 0.3), (1.0, 0.3 * 10 ** (31 / 60))])
def test_a_temperature_is_one_of_61_between_a_third_and_three(factor: float, wanted: float) -> None:
    ids = torch.arange(1000) % 1000 // 750  # three of four are of the first class
    odds = math.log(3.0) * wanted if factor == 1.0 else factor * math.log(3.0)
    logits = torch.tensor([odds, 0.0]).expand(1000, 2)
    assert fit_temperature(logits, ids) == pytest.approx(wanted, rel=1e-5)


def test_a_class_that_never_occurs_changes_nothing() -> None:
    logits, ids = answers(1_000, seed=0)
    with_absent = torch.cat([logits, torch.full((1_000, 1), -5.0)], dim=1)
    torch.testing.assert_close(fit_offsets(with_absent, ids)[:3], fit_offsets(logits, ids))


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
    """The same with "no known sign" as the last class, which is never right."""
    logits, ids = answers(count, seed=0)
    return torch.cat([logits, torch.full((count, 1), -1.0)], dim=1), ids
