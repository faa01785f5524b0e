"""Weights say what they have learnt from, and whoever starts from them hears it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors import safe_open

from perception.spec import ModelSpec, Provenance
from training.checkpoint import save_weights
from training.graph import wheel
from training.signs.net import SignNet
from training.signs.task import SignTask
from training.split import from_metadata


@pytest.mark.parametrize(
    ("provenance", "warns"),
    [
        (Provenance("GTSRB", "the same"), False),
        (Provenance("GTSRB", "another"), True),
        (Provenance("GTSRB", "the same", learnt_val=True), True),
        (Provenance("signs of my own", "another", learnt_val=True), False),
        (Provenance("the same in another folder", "the same", learnt_val=True), True),
        (Provenance("GTSRB"), False),  # an older file
    ],
)
def test_a_training_says_if_it_starts_from_what_has_learnt_what_validates(
    provenance: Provenance, warns: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = ModelSpec("signs", tuple("abc"), wheel(3), (48, 48), provenance=provenance)
    save_weights(SignNet(3), tmp_path / "signs.safetensors", spec)
    for train_on_val in (False, True):
        task = SignTask(start=str(tmp_path / "signs.safetensors"))
        data = SimpleNamespace(labels="abc", data_set="GTSRB", kept_aside="the same")
        data.train_on_val = train_on_val
        task.trainer = SimpleNamespace(datamodule=data)
        task.configure_model()
        said = "these weights have learnt from" in capsys.readouterr().out
        assert said is task.start_learnt_val is (warns and not train_on_val)


@pytest.mark.parametrize("name", ["signs", "segnet"])
def test_the_shipped_weights_say_what_they_learnt_from(name: str) -> None:
    with safe_open(Path(__file__).parents[2] / "models" / f"{name}.safetensors", "pt") as file:
        provenance = from_metadata(file.metadata())
    assert provenance.data_set and provenance.kept_aside and not provenance.learnt_val
