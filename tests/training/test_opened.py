"""A net for work that needs gradients, out of a checkpoint or of weights beside their model file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from perception.spec import Provenance
from tests.conftest import SIGNS, write_model
from training.checkpoint import save_weights
from training.datasets.images import DataError
from training.detection.task import DetectionTask
from training.opened import open_net
from training.signs.net import SignNet

ROOT = Path(__file__).resolve().parents[2]


def write_pair(folder: Path, *, width: float = 0.25, labels: tuple[str, ...] = SIGNS.labels) -> Path:
    """A model file of a net of a quarter of the width, and weights."""
    config = {"width": 0.25, "start": "elsewhere.safetensors", "rooms": 2}
    config["distillation"] = {"teachers": 0, "weight": 0.8, "temperature": 2.0}
    spec = replace(
        SIGNS, source={"config": json.dumps(config)}, provenance=Provenance("All", learnt_val=True)
    )
    write_model(folder / "signs.onnx", spec)
    torch.manual_seed(0)
    known = replace(spec, labels=labels, provenance=Provenance("Some", kept_aside="abc"))
    save_weights(SignNet(3, width=width), folder / "signs.safetensors", known)
    return folder / "signs.safetensors"


def test_weights_come_from_the_one_file_and_classes_from_the_other(tmp_path: Path) -> None:
    weights = write_pair(tmp_path)
    for path in (weights, weights.with_suffix(".onnx")):
        net = open_net(path)
        assert net.path == weights and not net.module.training
        assert (net.spec.labels, net.spec.input_hw) == (SIGNS.labels, SIGNS.input_hw)
        assert net.spec.provenance == Provenance("Some", kept_aside="abc")  # what these weights know
        state = net.module.net.state_dict()
        assert all(
            torch.equal(state[name], w.to(state[name].dtype)) for name, w in load_file(weights).items()
        )


@pytest.mark.parametrize("name", ["signs", "sign_detector", "segnet"])
def test_the_shipped_files_can_be_opened(name: str) -> None:
    net = open_net(ROOT / "models" / f"{name}.safetensors")
    with torch.no_grad():
        answer = net.module(torch.rand(1, 3, 64, 64) * 255)
    assert answer.isfinite().all() and not any(m.training for m in net.module.net.modules())


def test_a_checkpoint_says_what_frames_its_detector_takes(tmp_path: Path) -> None:
    task = DetectionTask()
    task.make_net(("sign",))
    content = {
        "task": "sign_detection",
        "labels": ("sign",),
        "kept_aside": "abc",
        "hyper_parameters": {},
        "datamodule_hyper_parameters": {"root": "BOXES", "size_hw": (160, 192)},
        "state_dict": task.state_dict(),
    }
    torch.save(content, tmp_path / "last.ckpt")
    net = open_net(tmp_path / "last.ckpt")
    assert (net.spec.task, net.spec.labels, net.spec.input_hw) == ("sign_detection", ("sign",), (160, 192))
    assert (net.spec.stride, net.spec.enlarge_to) == (16, 160 * 192)
    assert net.spec.provenance == Provenance(kept_aside="abc")
    assert torch.equal(net.module.net.head.weight, task.net.head.weight)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"weights of another net than .*signs\.onnx"):
        open_net(write_pair(tmp_path, width=0.5))
    with pytest.raises(DataError, match="'Yellow' against 'Red'"):
        open_net(write_pair(tmp_path, labels=("Blue", "Green", "Yellow")))
    (tmp_path / "signs.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"signs\.safetensors cannot be read"):
        open_net(tmp_path / "signs.onnx")
    (tmp_path / "signs.safetensors").unlink()
    with pytest.raises(DataError, match=r"no .*signs\.safetensors.* side by side .* or give a \.ckpt of fit"):
        open_net(tmp_path / "signs.onnx")
    with pytest.raises(DataError, match=r"no checkpoint at .*none\.ckpt"):
        open_net(tmp_path / "none.ckpt")
