"""Checkpoints and weights are read if they fit, and refused if they are something else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn

from perception.spec import ModelSpec
from tests.training.fits import ROOT
from training.checkpoint import load_matching, read_checkpoint, restored, save_weights
from training.datasets.images import DataError
from training.graph import wheel
from training.signs.net import SignNet
from training.signs.task import Attack, Distillation, SignTask
from training.split import from_metadata


def test_weights_start_another_net_where_they_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained, other = SignNet(5), SignNet(3)
    spec = ModelSpec("signs", tuple("abcde"), wheel(5), (48, 48))
    save_weights(trained, tmp_path / "signs.safetensors", spec)
    load_matching(other, tmp_path / "signs.safetensors", labels="abc", last="head.1")
    torch.testing.assert_close(other.features[0].weight, trained.features[0].weight, rtol=1e-3, atol=1e-6)
    assert "anew: head.1.bias, head.1.weight\n" in capsys.readouterr().out

    arguments = {"last": "head.1", "keeps_last_row": True}
    load_matching(other, tmp_path / "signs.safetensors", labels="abc", **arguments)
    torch.testing.assert_close(other.head[1].weight[-1], trained.head[1].weight[-1], rtol=1e-3, atol=1e-6)
    assert "head.1.bias but its last row, head.1.weight but its last row\n" in capsys.readouterr().out

    # As many classes, but others: what it knew of the old ones would be in the way.
    other = SignNet(5)
    load_matching(other, tmp_path / "signs.safetensors", labels="vwxyz", **arguments)
    assert "anew: head.1.bias but its last row" in capsys.readouterr().out
    assert (other.head[1].weight[0] - trained.head[1].weight[0]).abs().max() > 1e-3
    load_matching(other, tmp_path / "signs.safetensors", labels="abcde", **arguments)
    torch.testing.assert_close(other.head[1].weight, trained.head[1].weight, rtol=1e-3, atol=1e-6)
    assert "anew" not in capsys.readouterr().out

    for net in (nn.Linear(2, 2), SignNet(5, width=2.0), SignNet(3, width=2.0)):
        with pytest.raises(DataError, match="another net"):
            load_matching(net, tmp_path / "signs.safetensors", labels="abc", last="head.1")
    with pytest.raises(DataError, match=r"fit and export write one beside the \.onnx"):
        load_matching(other, tmp_path / "missing.safetensors", labels="abc", last="head.1")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.ckpt")
    with pytest.raises(DataError, match="no checkpoint of"):
        read_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(DataError, match=r"README\.md is no checkpoint"):
        read_checkpoint(ROOT / "README.md")


def test_what_is_no_file_of_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.raises(DataError, match=r"run is a folder; give the checkpoint in it, such as last\.ckpt"):
        read_checkpoint(tmp_path / "run")
    last.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match=rf"run is a folder; give the checkpoint in it, such as {last}"):
        read_checkpoint(tmp_path / "run")
    with pytest.raises(DataError, match=r"last\.ckpt is a pointer of Git LFS"):
        read_checkpoint(last)
    for start, why in ((last, "pointer of Git LFS"), (tmp_path / "run", "is a folder")):
        with pytest.raises(DataError, match=f"cannot start from .*{why}"):
            load_matching(torch.nn.Linear(1, 1), start, labels="ab", last="head")


def test_a_checkpoint_of_an_earlier_release_is_refused() -> None:
    old = {"lr": 0.1, "attack": 4.0, "attack_share": 1.0, "teachers": ()}
    with pytest.raises(DataError, match=r"earlier release.*attack_share, teachers"):
        restored(SignTask, {"hyper_parameters": old})


def test_groups_of_options_are_plain_values_in_a_checkpoint(tmp_path: Path) -> None:
    task = SignTask(attack=Attack(radius=4.0), distillation=Distillation(teachers=("a.ckpt",)))
    torch.save({"hyper_parameters": dict(task.hparams)}, tmp_path / "some.ckpt")
    again = SignTask(**torch.load(tmp_path / "some.ckpt", weights_only=True)["hyper_parameters"])
    assert (again.attack, again.distillation) == (task.attack, task.distillation)


@pytest.mark.parametrize("name", ["signs", "segnet"])
def test_the_shipped_weights_say_what_they_learnt_from(name: str) -> None:
    with safe_open(ROOT / "models" / f"{name}.safetensors", "pt") as file:
        provenance = from_metadata(file.metadata())
    assert provenance.data_set and provenance.kept_aside and not provenance.learnt_val
