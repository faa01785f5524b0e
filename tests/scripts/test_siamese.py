"""The study of metric learning trains with its loss, and measures what it trained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from scripts import siamese
from scripts.siamese import MARGIN, batch_hard_triplet
from tests.training.conftest import make_background, make_gtsrb
from tests.training.fits import ROOT
from training import fit as training_fit


def test_the_hardest_of_each_batch_count() -> None:
    ids = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    assert float(batch_hard_triplet(apart, ids)) == 0.0  # same directions, whatever their length
    one_strays = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 3.0]])
    # Both of class 0 are 1 from each other; the second lies on class 1, the first is 1 from it.
    assert float(batch_hard_triplet(one_strays, ids)) == pytest.approx(
        (MARGIN + (1 + MARGIN) + 2 * MARGIN) / 4
    )


def test_both_trainings_are_measured_against_signs_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gtsrb, background = make_gtsrb(tmp_path), make_background(tmp_path / "street")
    monkeypatch.setattr(training_fit, "fail_at_the_end", lambda: None)  # of this process's memory
    monkeypatch.chdir(ROOT)
    steps = []
    step = siamese.SiameseTask.training_step
    monkeypatch.setattr(siamese.SiameseTask, "training_step", lambda *given: steps.append(1) or step(*given))
    options = [str(gtsrb), "--background", str(background), "--out", str(tmp_path / "runs"), "--epochs", "1"]
    options += ["--hold_out", "Speed limit 50", "--data.size=32", "--trainer.accelerator=cpu"]
    monkeypatch.setattr(sys, "argv", ["siamese", *options, "--trainer.precision=32-true"])
    siamese.main()
    said = capsys.readouterr().out
    assert steps and said.count("nearest neighbours") == 4  # against background and never seen, of both
    assert said.index("as it ships: ") < said.index("with a triplet loss: ")
