"""What a model costs, part by part: the parts add up, and what is known beforehand comes out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from tests.training.fits import Trained
from tests.training.nets import pictures, write_models
from training.__main__ import main
from training.export import cost
from training.onnx.int8 import to_int8
from training.profile import profile
from training.profile.blocks import measured
from training.profile.measured import NO_MAP, Profile
from training.profile.operators import Node, add_up, scale_of
from training.segmentation.net import SegNetCompact


@pytest.fixture(scope="module")
def segnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models")) / "segnet.onnx"


def parts(profile: Profile) -> dict[str, int]:
    return {part.name: part.macs for part in profile.parts}


def test_operators_of_an_exported_file(segnet: Path, tmp_path: Path) -> None:
    int8 = tmp_path / "int8.onnx"
    onnx.save(to_int8(onnx.load(segnet), pictures(segnet, 4)), int8)
    exact, rounded = profile([segnet, int8], runs=3)
    assert (exact.kind, exact.input_hw, exact.model) == ("operators", (60, 80), "segnet.onnx")
    assert 0 < exact.between_ms < exact.total_ms
    times = [part.time_ms for part in exact.parts]
    assert times == sorted(times, reverse=True)
    net = SegNetCompact(11, widths=(8, 12, 16, 24))
    corners = sum(4 * width * size for width, size in ((8, 32 * 40), (12, 16 * 20), (16, 8 * 10)))
    assert parts(exact)["Conv"] == pytest.approx(cost(net, (60, 80))["macs"] + corners, rel=0.01)
    (convolutions,) = (part for part in exact.parts if part.name == "Conv")
    weights = sum(layer.weight.numel() for layer in net.modules() if isinstance(layer, nn.Conv2d))
    assert weights < convolutions.parameters < 1.1 * weights  # with biases, and what picks the corners
    both = parts(rounded)
    assert both["QLinearConv"] > both["Conv"] > 0 and "QLinearConv" not in parts(exact)


def test_blocks_of_a_net() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages = nn.ModuleList([nn.Conv2d(3, 4, 1, bias=False), nn.Sequential(nn.ReLU())])
            self.shared = nn.Conv2d(4, 4, 1, bias=False)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            for stage in self.stages:
                frames = stage(frames)
            return self.shared(self.shared(frames))

    between_ms, found = measured(Twice(), (6, 8), runs=3)
    assert [part.name for part in found] == ["stages.0", "stages.1", "shared"]
    assert [part.parameters for part in found] == [12, 0, 16]
    assert [part.macs for part in found] == [12 * 48, 0, 2 * 16 * 48]
    assert [part.activation_bytes for part in found] == [4 * 48 * 4, 4 * 48 * 4, 2 * 4 * 48 * 4]
    assert between_ms > 0 and all(part.time_ms > 0 for part in found)


def test_a_checkpoint_and_a_file_by_the_command_line(
    trained_masks: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "profile"
    models = [str(trained_masks.checkpoint), str(trained_masks.model)]
    threads = torch.get_num_threads()
    assert main(["profile", "--compare", *models, "--runs", "2", "--out", str(out)]) == 0
    assert torch.get_num_threads() == threads
    said = capsys.readouterr().out
    assert "last.ckpt: " in said and "whole frame" in said and "encoder.0" in said
    blocks, operators = json.loads((out / "profile.json").read_text())
    assert (blocks["kind"], operators["kind"]) == ("blocks", "operators")
    assert sum(part["parameters"] for part in blocks["parts"]) == sum(
        weight.numel() for weight in SegNetCompact(11).parameters()
    )
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 4 and "Side by side" in page
    assert re.search(r"segmentation.onnx: [\d.]+ of [\d.]+ ms are outside convolutions", said)


def test_work_outside_convolutions_and_its_resolution() -> None:
    layers = {"Conv": ("1", 5.0), "Slice": ("1/2", 2.0), "Concat": ("1/2", 1.0), "Exp": (NO_MAP, 0.5)}
    nodes = [Node(operator, ms, 0, scale) for operator, (scale, ms) in layers.items()]
    found = Profile("a.onnx", "operators", (8, 8), 1, 1.5, tuple(add_up(nodes, {})))
    assert found.total_ms == pytest.approx(10.0)
    assert found.kinds_ms() == {
        "convolutions": 5.0,
        "picking and joining": 3.0,
        "other arithmetic": 0.5,
        "layout": 0.0,
        "rounding": 0.0,
        "between them": 1.5,
    }
    by_scale = found.scales_ms()
    assert list(by_scale) == ["1", "1/2", NO_MAP]
    assert by_scale["1"]["convolutions"] == 5.0 and by_scale["1"]["picking and joining"] == 0.0
    assert by_scale["1/2"]["picking and joining"] == 3.0


@pytest.mark.parametrize(
    ("shape", "scale"),
    [
        ([1, 11, 360, 480], "1"),
        ([1, 360, 480, 3], "1"),
        ([1, 360, 480], "1"),
        ([1, 16, 184, 240], "1/2"),  # of a frame that was padded to 368
        ([1, 16, 184, 2, 480], "1"),  # rows about to be interleaved
        ([1, 128, 23, 30], "1/16"),
        ([1, 128, 1, 1], NO_MAP),
        ([1, 43], NO_MAP),
        ([], NO_MAP),
    ],
)
def test_the_resolution_of_a_map(shape: list[int], scale: str) -> None:
    assert scale_of(shape, (360, 480)) == scale


def test_models_of_one_name_are_told_apart_by_their_folders(segnet: Path, tmp_path: Path) -> None:
    other = tmp_path / segnet.name
    shutil.copy(segnet, other)
    ours, theirs = profile([segnet, other], runs=1, threads=1, out=tmp_path)
    assert (ours.model, theirs.model) == (str(segnet), str(other))
    assert (tmp_path / "report.html").read_text().count("are outside convolutions") == 2


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", str(tmp_path / "none.onnx")]) == 1
    assert "none.onnx" in capsys.readouterr().err
    assert main(["profile"]) == 1
    assert "no model is named" in capsys.readouterr().err
