"""Explanations by the command line: of signs, masks and boxes, whole or interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from perception.spec import ModelSpec
from tests.training.detection.streets import HEIGHT, WIDTH, gtsdb, street
from tests.training.explain.toys import SHAPES, Toy
from tests.training.interrupts import interrupt
from training import explain as explain_room
from training.__main__ import main
from training.datasets.images import DataError
from training.detection import explain as of_boxes
from training.detection.net import peaks
from training.explain import explain, find_shortcuts
from training.explain import methods as methods_room
from training.explain.methods import METHODS
from training.explain.question import Sample, as_frames, in_turn
from training.explain.shortcuts import look
from training.graph import wheel
from training.opened import Opened
from training.pieces import FILE
from training.segmentation import explain as of_masks
from training.segmentation.net import SegNet, SegNetCompact
from training.segmentation.task import MaskTask

LABELS = ("Sky", "Road", "Kerb")


def test_all_methods_explain_signs(honest: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods_room, "SAMPLES", 100)  # of LIME, because they take time
    shapes = SHAPES[1::2]
    pictures = [str(honest.data / "val" / shape) for shape in shapes]
    out = tmp_path / "out"
    arguments = ["explain", str(honest.checkpoint), *pictures, "--limit", "2", "--out", str(out)]
    assert main(arguments) == 0
    content = json.loads((out / "explanations.json").read_text())
    assert [Path(one["picture"]).parent.name for one in content["answers"]] == list(shapes)
    assert [one["answer"] for one in content["answers"]] == list(shapes)
    for one in content["answers"]:
        assert tuple(one["maps"]) == tuple(METHODS) and one["score"] > 0.8
        assert all(np.shape(grid) == (16, 16) and np.abs(grid).max() <= 1.0 for grid in one["maps"].values())
        # The shapes are in the middle of the signs, and so is what speaks for them.
        middle = np.maximum(one["maps"]["occlusion"], 0.0)
        assert middle[3:13, 3:13].sum() > 0.7 * middle.sum()
    page = (out / "report.html").read_text()
    assert page.count("<img") == 2 * (1 + len(METHODS)) and "Guided backpropagation" in page


def test_another_class_can_be_asked_about(honest: Toy, tmp_path: Path) -> None:
    path = honest.data / "val" / "ring" / "0.png"
    ring, bar = explain(
        honest.checkpoint, [path], out=tmp_path, methods=["occlusion"], labels=["ring", "bar"]
    )
    assert ring.score > 0.8 and bar.score < 0.2 and ring.score + bar.score < 1.0
    assert ring.heats["occlusion"].max() > abs(ring.heats["occlusion"].min())  # the sign speaks for it
    assert bar.heats["occlusion"].max() < abs(bar.heats["occlusion"].min())  # and against others


def test_what_was_explained_before_ctrl_c_is_written(
    honest: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(monkeypatch, explain_room, "read_bgr", 3, 20)
    pictures = [honest.data / "val" / "bar"]
    explain(honest.checkpoint, pictures, out=tmp_path, methods=["gradcam"])
    assert "Interrupted: 2 of 8 were looked at." in capsys.readouterr().out
    content = json.loads((tmp_path / "explanations.json").read_text())
    assert len(content["answers"]) == 2 and content["remarks"] == ["Interrupted: 2 of 8 were looked at."]
    assert "Interrupted: 2 of 8" in (tmp_path / "report.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["explanations.json", FILE, "report.html"]
    explain(honest.checkpoint, pictures, out=tmp_path, methods=["gradcam"], resume=True)
    assert "goes on after 2 finished pieces" in capsys.readouterr().out
    explain(honest.checkpoint, pictures, out=tmp_path / "whole", methods=["gradcam"])
    for name in ("explanations.json", "report.html"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / FILE).exists()
    with pytest.raises(KeyboardInterrupt):  # nothing to write yet
        explain(honest.checkpoint, pictures, out=tmp_path / "other", methods=["gradcam"])
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "Stop"], "'Stop' is no class of the net; it knows bar, cross, disc, ring"),
        (["--limit", "0"], "--limit is 0"),
    ],
)
def test_what_cannot_be_explained_is_said(
    honest: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert main(["explain", str(honest.checkpoint), str(honest.data / "val" / "bar"), *options, *out]) == 1
    assert message in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["explain", str(honest.checkpoint), str(tmp_path / "empty"), *out]) == 1
    assert f"{tmp_path / 'empty'} has no pictures" in capsys.readouterr().err
    assert main(["explain", str(honest.checkpoint), str(tmp_path / "none.png"), *out]) == 1
    assert f"{tmp_path / 'none.png'}: no such file or folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [SegNetCompact, SegNet])
def test_each_class_of_a_mask_is_explained(kind: type[SegNetCompact | SegNet], tmp_path: Path) -> None:
    torch.manual_seed(0)
    task = MaskTask(net=kind.__name__)
    task.make_net(LABELS, wheel(3))
    if kind is SegNetCompact:
        task.net = SegNetCompact(3, widths=(8, 12, 16, 24))
    with torch.no_grad():
        task.net.classify.bias[2] = -1e4  # this class never comes
    net = Opened(Path("toy.ckpt"), task.eval(), ModelSpec("segmentation", LABELS, wheel(3), (60, 80)))
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
    asked = list(of_masks.questions(net, frame, ()))
    with torch.no_grad():
        ids = task(asked[0].frames)[0].argmax(dim=0).numpy()
    present = [number for number in range(3) if (ids == number).mean() >= 0.01]
    assert [one.answer for one in asked] == [LABELS[number] for number in present] and 2 not in present
    for one, number in zip(asked, present):
        assert np.array_equal(one.inside, ids == number)
        heat = METHODS["gradcam"](one)
        assert heat.shape == (60, 80) and heat.min() >= 0 and np.isfinite(heat).all()
        mean = task(one.frames)[0, number].detach().numpy()[ids == number].mean()
        assert float(one.model(one.frames)[0, number]) == pytest.approx(mean, abs=1e-4)
    assert [one.answer for one in of_masks.questions(net, frame, ["Kerb"])] == []
    with pytest.raises(DataError, match="'Car' is no class"):
        list(of_masks.questions(net, frame, ["Car"]))


class RedFinder(nn.Module):
    """A detector that looks for red discs and at nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(12, 4, 4)

    def forward(self, frames: Tensor) -> Tensor:
        odds = (self.mean(frames[:, 2:] - frames[:, :1]) - 100.0) / 10.0
        distance = torch.full_like(odds, float(np.log(14.0 / 8.0)))
        return torch.cat([odds, distance, distance, distance, distance, odds], dim=1)


@pytest.fixture
def finder() -> Opened:
    spec = ModelSpec("sign_detection", ("sign",), wheel(1), (HEIGHT, WIDTH), thresholds={"found": 0.5})
    return Opened(Path("toy.ckpt"), SimpleNamespace(net=RedFinder()), spec)


def test_what_moves_a_box_is_what_the_detector_looks_at(finder: Opened) -> None:
    frame, signs = street(np.random.default_rng(0))
    with torch.no_grad():
        boxes, scores = peaks(finder.module.net(as_frames(frame)))
    for number, asked in enumerate(of_boxes.questions(finder, frame, ())):
        assert asked.answer == f"box {number + 1}"
        assert asked.score == pytest.approx(float(scores[number]), abs=1e-3)
        x1, y1, x2, y2 = boxes[number].tolist()
        assert any(
            left < (x1 + x2) / 2 < right and top < (y1 + y2) / 2 < low for left, top, right, low in signs
        )
        assert asked.inside is not None and 28 * 28 <= asked.inside.sum() <= 42 * 42
        evidence = np.maximum(METHODS["occlusion"](asked), 0.0)
        assert evidence.shape == asked.frame.shape[:2]
        assert evidence[asked.inside].sum() > 0.9 * evidence.sum() > 0


def test_signs_of_a_data_set_are_looked_at_if_they_are_found(finder: Opened, tmp_path: Path) -> None:
    data = gtsdb(tmp_path / "streets")
    hidden = cv2.cvtColor(cv2.imread(str(data / "00004.png")), cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(data / "00004.png"), hidden)  # nothing red is left of its two signs
    of_set = of_boxes.samples(finder, data, 10)
    found = list(look(of_set.things, METHODS["occlusion"]))
    assert [one is None for one in found].count(True) == 2 and of_set.remarks == ()
    seen = [one for one in found if one]
    assert {one.sample.path.name for one in seen} == {"00009.png"}
    assert {one.sample.label for one in seen} == {"Speed limit 20", "Stop"}
    assert all(one.share < 0.15 and one.evidence.area > 0.5 for one in seen)
    assert not any(one.evidence.is_blind for one in seen)


def test_shortcuts_are_for_things_with_surroundings(trained_masks_like: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--shortcuts is not for the task 'segmentation'"):
        find_shortcuts(trained_masks_like, tmp_path, out=tmp_path / "out")


@pytest.fixture
def trained_masks_like(tmp_path: Path) -> Path:
    """A checkpoint of masks, without a training."""
    task = MaskTask()
    task.make_net(LABELS, wheel(3))
    content = {
        "task": "segmentation",
        "labels": LABELS,
        "palette": wheel(3),
        "hyper_parameters": {},
        "datamodule_hyper_parameters": {"root": str(tmp_path)},
        "state_dict": task.state_dict(),
    }
    torch.save(content, tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def test_classes_take_turns() -> None:
    things = [Sample(Path(f"{label}{number}"), label, lambda: None) for label in "ab" for number in range(6)]
    assert [one.path.name for one in in_turn(things, 3)] == ["a0", "b0", "a2", "b2", "a4", "b4"]
    assert len(in_turn(things[:7], 5)) == 4  # every second of a, and the only b
