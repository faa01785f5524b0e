"""Attacks measure how little misleads a net: known beforehand of a toy, and whole for a classifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import perception
from perception.frames import resize
from tests.training.attack.victims import Colors
from tests.training.interrupts import interrupt
from tests.training.nets import pictures, write_signs
from training import attack as attack_room
from training.__main__ import main
from training.attack import patch, radii, report
from training.attack.measured import FGSM, NET, PGD, STRONGEST, Attacked
from training.attack.radii import Effort
from training.checkpoint import save_weights
from training.datasets.gtsrb import LABELS
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr
from training.opened import open_net
from training.signs.attack import SignVictim, fill
from training.signs.data import SignData
from training.signs.net import SignNet


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """signs.onnx of a net with random weights and statistics, and beside it the weights of another one."""
    torch.manual_seed(0)
    net = SignNet(len(LABELS))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.running_var, module.bias.data, module.running_mean):
                values.uniform_(0.5, 1.5)
    model = tmp_path_factory.mktemp("models") / "signs.onnx"
    spec = write_signs(net, model)
    save_weights(SignNet(len(LABELS)), model.with_suffix(".safetensors"), spec)
    return model


def test_a_lead_falls_at_the_radius_that_is_half_of_it() -> None:
    victim = Colors([1, 3, 7, 15])
    counts = radii.count(victim, {"file": 0.0, "shifted": 50.0}, victim.val, Effort((1.0, 2.0, 4.0), 8, 2))
    every = (0.0, 1.0, 2.0, 4.0)
    accuracy = counts.accuracy([NET, "file", "shifted"], every)
    for attack in (FGSM, PGD, STRONGEST):
        assert accuracy[NET][attack] == (1.0, 0.75, 0.5, 0.25)
    assert accuracy["file"] == accuracy[NET]  # the same function
    assert accuracy["shifted"][FGSM] == (0.5, 0.5, 0.5, 0.5)  # it says blue to everything
    assert [(one.wanted, one.given, one.radius) for one in counts.examples] == [
        ("Blue", "Green", 1.0),
        ("Green", "Blue", 2.0),
        ("Blue", "Green", 4.0),
    ]
    for one in counts.examples:
        assert np.abs(one.attacked.astype(int) - one.clean).max() <= one.radius


def test_a_net_that_hides_its_gradient_is_misled_by_the_strongest_attack_alone() -> None:
    victim = Colors([4, 4, 40, 40], sureness=1000.0)
    counts = radii.count(victim, {}, victim.val, Effort((4.0,), 4, 2))
    accuracy = counts.accuracy([NET], (0.0, 4.0))
    assert accuracy[NET] == {FGSM: (1.0, 1.0), PGD: (1.0, 1.0), STRONGEST: (1.0, 0.5)}
    done = Attacked(
        crops=4, wanted=6, radii=(0.0, 4.0), accuracy=accuracy, settings={"model": "m", "data": "d"}
    )
    said = "\n".join(report.in_words(done))
    assert "Radius 4/255: PGD leaves 100.0 %, the strongest attack 50.0 %; the second is what counts" in said
    assert "Interrupted after 4 of 6 crops" in said


def test_what_was_done_until_an_interrupt_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    victim = Colors([7] * 80)
    interrupt(monkeypatch, radii, "_attacked", 3)
    counts = radii.count(victim, {}, victim.val, Effort((1.0,), 1, 1))
    assert counts.crops == 64 and counts.accuracy([NET], (1.0,))[NET][PGD] == (1.0,)
    assert not counts.examples


def test_a_learnt_patch_misleads_where_a_grey_one_only_hides() -> None:
    victim = Colors([4] * 24)
    frames, ids = victim.read(victim.val[::2])  # all blue, because no patch misleads blue and green both
    right = {}
    for how in (patch.DIGITAL, patch.STICKER):
        own = patch.learn(victim, frames, ids, how, size=0.3, steps=40)
        assert own.shape == (3, patch.CELLS, patch.CELLS)
        assert own.min() >= how.ink[0] and own.max() <= how.ink[1]
        for name, laid in (("learnt", own), ("grey", patch.grey())):
            covered = patch.patched(frames, laid, how, size=0.3)
            right[how.name, name] = float((victim.logits(covered).argmax(dim=1) == ids).float().mean())
    assert right == {
        ("patch", "learnt"): 0.0,
        ("patch", "grey"): 1.0,
        ("sticker", "learnt"): 0.0,
        ("sticker", "grey"): 1.0,
    }


def test_a_patch_covers_its_share_and_lies_on_the_sign() -> None:
    frames = torch.zeros(60, 3, 64, 64)
    for how in (patch.DIGITAL, patch.STICKER):
        covered = patch.patched(frames, torch.full((3, 16, 16), 200.0), how, size=0.25)
        shares = (covered[:, 0] > 60).float().mean(dim=(1, 2))
        assert shares.mean() == pytest.approx(0.0625, abs=0.012)
        rows = (covered[:, 0] > 60).any(dim=2).float()
        assert not rows[:, :4].any() and not rows[:, -4:].any() and rows.any(dim=0).sum() > 40
    again = patch.patched(frames, torch.full((3, 16, 16), 200.0), patch.STICKER, size=0.25)
    assert torch.equal(covered, again)


def test_the_weights_of_a_model_file_are_those_that_it_computes_with(pair: Path, gtsrb: Path) -> None:
    net = SignNet(len(LABELS)).eval()
    fill(net, pair)
    frames = pictures(pair, 4)
    with perception.load(pair, device="cpu") as classify, torch.no_grad():
        scores = np.array([sign.scores for sign in classify.classify(list(frames))])
        logits = net(torch.from_numpy(frames).permute(0, 3, 1, 2).float())[:, :-1]
    assert (logits / 0.1).softmax(dim=1).numpy() == pytest.approx(scores, abs=1e-4)
    of_file, of_weights = (
        SignVictim(open_net(path), gtsrb, path) for path in (pair, pair.with_suffix(".safetensors"))
    )
    own = of_file.read(of_file.val)[0]
    assert torch.allclose(of_file.logits(own)[0], net(own)[0, :-1], atol=1e-5)
    assert not torch.allclose(of_weights.logits(own)[0], net(own)[0, :-1], atol=1e-2)
    assert {image.path for image in of_file.train}.isdisjoint(image.path for image in of_file.val)
    smaller = SignNet(len(LABELS), width=0.5)
    with pytest.raises(DataError, match=r"signs\.onnx cannot be attacked"):
        fill(smaller, pair)


def test_all_is_written_and_the_data_set_with_attacked_crops_is_one_that_fit_takes(
    pair: Path, gtsrb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, folder = tmp_path / "out", tmp_path / "enriched"
    options = ["--limit", "6", "--radii", "4", "--steps", "2", "--starts", "1", "--patch-steps", "2"]
    arguments = ["attack", pair, gtsrb, "--out", out, "--write", folder, *options]
    assert main([*map(str, arguments)]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "6 crops, radii 4; the net, signs.onnx" in said and f"{folder}: a data set" in said
    measured = json.loads((out / "attack.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert (measured["crops"], measured["radii"]) == (6, [0.0, 4.0])
    accuracy: Mapping[str, Any] = measured["accuracy"]
    assert accuracy["signs.onnx"] == accuracy[NET]  # the file holds the net
    assert [*measured["patches"]] == ["grey patch", "learnt patch", "learnt sticker"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What the attacks are" in page and page.count("<svg") >= 2
    assert 'width="15.0mm"' in (out / "sticker.svg").read_text()  # a quarter of 60
    assert cv2.imread(str(out / "attack.jpg")) is not None

    attacked = sorted(folder.rglob("*_attacked.png"))
    assert len(attacked) == 6 and all("train" in path.relative_to(folder).parts for path in attacked)
    clean = next(path for path in attacked[0].parent.glob(attacked[0].stem.replace("_attacked", "") + ".*"))
    noise = cv2.imread(str(attacked[0])).astype(int) - resize(read_bgr(clean), (32, 32))
    assert 0 < np.abs(noise).max() <= 4
    data = SignData(str(folder), size=32)
    data.setup()
    assert len(data.train) == 48 + 6 and data.val is not None and len(data.val) == 12
    assert data.signs.box_margin == 0.1
    assert main(["attack", str(pair), str(gtsrb), "--write", str(folder)]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("stop_in", ["_attacked", "_learnt", "_noisy"])
def test_it_goes_on_to_the_same_results_after_ctrl_c(
    stop_in: str, pair: Path, gtsrb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(radii, "BATCH", 3)
    options = ["--limit", "6", "--radii", "2", "8", "--steps", "1", "--starts", "1", "--patch-steps", "2"]

    def run(name: str, *more: str) -> int:
        out, enriched = tmp_path / name, tmp_path / f"{name}_enriched"
        given = ["attack", str(pair), str(gtsrb), "--out", str(out), "--write", str(enriched)]
        return main([*given, *options, *more])

    assert run("whole") == 0
    room = radii if stop_in == "_attacked" else attack_room
    begun = interrupt(monkeypatch, room, stop_in, 2)
    assert run("out") == (0 if stop_in == "_attacked" else 130)
    assert not (tmp_path / "out_enriched").exists()
    if stop_in == "_attacked":
        partial = json.loads((tmp_path / "out" / "attack.json").read_text())
        assert partial["crops"] == 3 and not partial["patches"]
    assert run("out", "--resume") == 0 and len(begun) == 3
    results = {}
    for name in ("out", "whole"):
        files = [*(tmp_path / name).iterdir(), *(tmp_path / f"{name}_enriched").rglob("*.png")]
        results[name] = {path.relative_to(tmp_path).parts[1:]: path.read_bytes() for path in files}
    assert results["out"] == results["whole"] and len(results["out"]) > 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--limit", "0"), "--limit is 0"),
        (("--radii", "4", "2"), "--radii are 4 2"),
        (("--radii", "0", "2"), "--radii are 0 2"),
        (("--radii", "8", "256"), "--radii are 8 256"),
        (("--patch", "0.7"), "--patch is 0.7"),
        (("--steps", "0"), "must be 1 or more"),
    ],
)
def test_what_cannot_be_done_is_said_first(
    options: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", str(tmp_path / "none.onnx"), str(tmp_path), *options]) == 1
    assert said in capsys.readouterr().err


def test_a_file_of_other_classes_is_refused(
    pair: Path, gtsrb: Path, signs_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attack", str(pair), str(gtsrb), "--against", str(signs_model)]) == 1
    assert "signs.onnx has 3 classes, the model 43" in capsys.readouterr().err
