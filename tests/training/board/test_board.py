"""``tensorboard --logdir runs`` shows what a training was, without another setting."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from torch.nn import functional as F

from tests.training.fits import Trained, fit_here
from training import board
from training.board.graph import of_net
from training.run import NAME
from training.signs.data import SignData
from training.signs.task import SignTask


def read(folder: Path) -> Any:
    """All events of a run, as TensorBoard reads them."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def hparams(events: Any, tag: str) -> Any:
    content = events.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    return getattr(HParamsPluginData.FromString(content), tag)


def last(events: Any, tag: str) -> float:
    return float(events.Tensors(tag)[-1].tensor_proto.float_val[0])


@pytest.mark.parametrize(
    ("trained", "score", "setting"),
    [
        ("trained_signs", "val_accuracy", ("data.batch_size", 16.0)),
        ("trained_masks", "val_miou", ("data.size_hw", "[120, 160]")),
        ("trained_boxes", "val_ap50", ("data.crop", 96.0)),
    ],
)
def test_curves_settings_graph_answers_and_features(
    trained: str, score: str, setting: tuple[str, Any], request: pytest.FixtureRequest
) -> None:
    one: Trained = request.getfixturevalue(trained)
    events = read(one.run.folder)

    assert last(events, score) == pytest.approx(one.run.metrics[score])
    assert {(event.step + 1) % (one.run.steps // one.run.epochs) for event in events.Tensors(score)} == {0}
    assert "train_loss" in events.Tags()["tensors"]
    assert "hp_metric" not in events.Tags()["tensors"]

    metrics = {metric.name.tag for metric in hparams(events, "experiment").metric_infos}
    assert score in metrics <= set(events.Tags()["tensors"])
    assert not [name for name in metrics if name.startswith("lr")]
    value = hparams(events, "session_start_info").hparams[setting[0]]
    assert (value.number_value or value.string_value) == setting[1]

    graph = events.Graph()
    names = {node.name for node in graph.node}
    assert sum(node.op.startswith("conv2d") for node in graph.node) > 4
    assert all(source in names for node in graph.node for source in node.input)
    assert any("/" in name for name in names)

    answers = [tag for tag in events.Tags()["tensors"] if tag.startswith("answers/")]
    assert 4 <= len(answers) <= 8
    early, *_, late = events.Tensors(answers[0])
    assert early.step < late.step  # while it went on, and in the end
    width, height, png = early.tensor_proto.string_val[:3]
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[:2] == (int(height), int(width)) and max(picture.shape) >= 240


def test_features_are_beside_pictures_and_classes(trained_signs: Trained) -> None:
    folder = trained_signs.run.folder
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    points = np.loadtxt(folder / embedding.tensor_path, delimiter="\t")
    classes = (folder / embedding.metadata_path).read_text().splitlines()
    assert points.shape[1] > 8 and len(points) == len(classes)
    assert {"Speed limit 20", "no known sign"} <= set(classes)
    sprites = cv2.imread(str(folder / embedding.sprite.image_path))
    assert sprites.shape[0] * sprites.shape[1] >= len(points) * embedding.sprite.single_image_dim[0] ** 2


def test_settings_of_a_training_that_failed_are_there(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("the second epoch")

    monkeypatch.setattr(SignTask, "on_validation_epoch_end", fail)
    options = [f"--data.root={class_folders}", "--data.size=32", "--data.batch_size=8", "--model.lr=0.002"]
    with pytest.raises(ValueError, match="second epoch"):
        fit_here("signs", tmp_path, *options, "--trainer.num_sanity_val_steps=0")
    (run,) = tmp_path.rglob(NAME)
    settings = hparams(read(run.parent), "session_start_info").hparams
    assert settings["model.lr"].number_value == 0.002


def test_a_net_that_torch_cannot_trace_is_drawn() -> None:
    class Unpooling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = torch.nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, frames: torch.Tensor) -> torch.Tensor:
            pooled, places = F.max_pool2d(self.stem(frames), 2, return_indices=True)
            return F.max_unpool2d(pooled, places, 2)

    net = Unpooling().train()
    graph = GraphDef.FromString(of_net(net, np.zeros((6, 8, 3), np.uint8)).graph_def)
    (convolution,) = (node for node in graph.node if node.name.startswith("stem/"))
    assert [d.size for d in convolution.attr["_output_shapes"].list.shape[0].dim] == [1, 4, 6, 8]
    assert any("unpool" in node.op for node in graph.node)
    assert net.training


def test_what_cannot_be_shown_is_said_and_breaks_nothing(
    class_folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = SignData(str(class_folders), size=32)
    data.setup()
    task = SignTask()
    task.make_net(data.labels)
    board.show(board.logger(tmp_path), task.net, data, tmp_path / "gone.onnx", step=1)
    assert "TensorBoard does not show all of" in capsys.readouterr().out
    board.show(SimpleNamespace(), task.net, data, tmp_path / "gone.onnx", step=1)
    assert capsys.readouterr().out == ""
