"""Sanity checks for explanations (Adebayo et al. 2018): which methods depend on what a net has learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.explain.toys import SHAPES, Toy
from training.explain import explain, methods
from training.explain.explanation import mean_alike
from training.explain.methods import METHODS
from training.explain.report import SAME
from training.explain.sanity import alike, randomised
from training.opened import open_net
from training.signs.explain import questions


def test_explanations_of_random_weights_look_unlike_those_of_trained_ones(
    honest: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods, "SAMPLES", 100)  # of LIME, because they take time
    pictures = [honest.data / "val" / shape for shape in SHAPES[:3]]
    explained = explain(honest.checkpoint, pictures, out=tmp_path, limit=3, sanity=True)
    likeness = mean_alike(explained)
    assert tuple(likeness) == tuple(METHODS)
    for name in ("occlusion", "gradcam", "lime"):
        assert abs(likeness[name]) < SAME, name
    # As known since Adebayo et al., and as the docs say: a part of this is the picture, whatever was learnt.
    assert likeness["guided_backprop"] > SAME
    content = json.loads((tmp_path / "explanations.json").read_text())
    assert content["alike_random_weights"] == likeness
    page = (tmp_path / "report.html").read_text()
    figures = 3 * (1 + 2 * len(METHODS))
    assert page.count("<img") == figures and page.count("random weights: ") == 2 * 3 * len(METHODS)
    assert "shows what was learnt" in page and "shows the picture as well" in page
    assert "rank correlation" in capsys.readouterr().out


def test_a_net_forgets_all_and_the_trained_one_stays(honest: Toy) -> None:
    net = open_net(honest.checkpoint)
    frame = np.zeros((64, 64, 3), np.uint8)
    (asked,) = questions(net, frame, ["ring"])
    before = {name: w.clone() for name, w in asked.model.state_dict().items()}
    untrained = randomised(asked)
    after = untrained.model.state_dict()
    assert all(torch.equal(w, before[name]) for name, w in asked.model.state_dict().items())
    changed = [name for name, w in before.items() if w.ndim > 1]
    assert len(changed) == 8 and not any(torch.equal(before[name], after[name]) for name in changed)
    assert (after["net.features.1.running_mean"] == 0).all()
    assert untrained.layer is untrained.model.net.features  # Grad-CAM looks into the same net


def test_alike() -> None:
    ramp = np.arange(64, dtype=np.float32).reshape(8, 8)
    assert alike(ramp, ramp**3) == pytest.approx(1.0, abs=1e-5)
    assert alike(ramp, -ramp) == pytest.approx(-1.0, abs=1e-5)
    assert alike(ramp, np.zeros((8, 8), np.float32)) == pytest.approx(0.0, abs=1e-5)
