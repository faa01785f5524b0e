"""SegNet learns the same with and without checkpointing, and its exported graph is what the car can run."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from perception.engines import open_engine
from perception.recordings.sources import open_source
from perception.spec import ModelSpec
from tests.tensorrt import engine_size
from training.export import AGREEMENT, compare, write
from training.graph import wheel
from training.segmentation.graph import MaskGraph
from training.segmentation.net import SegNet, SegNetCompact, Unpool, enlarge, enlarged_at

STREET = Path(__file__).resolve().parents[3] / "demo" / "street"
CLASSES = 4


class Narrow(SegNet):
    """The same network with few channels."""

    STAGES = ((8, 2), (8, 2), (12, 3), (16, 3), (16, 3))


def real_frames(size_hw: tuple[int, int], *, count: int = 4) -> Tensor:
    """(N, H, W, 3) uint8 BGR from the bag that the project ships."""
    images = (shot.image for shot in open_source(STREET).shots() if shot.image is not None)
    frames = [
        cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_AREA) for image in islice(images, count)
    ]
    return torch.from_numpy(np.stack(frames))


def pixels(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32."""
    return frames.permute(0, 3, 1, 2).float()


def train(net: nn.Module, frames: Tensor, *, steps: int = 2) -> list[Tensor]:
    """Logits, gradients and buffers after a few steps."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = net.train()(frames)
        logits.square().mean().backward()
        optimizer.step()
    return [logits.detach(), *(parameter.grad for parameter in net.parameters()), *net.buffers()]


@pytest.mark.parametrize("checkpointing", SegNet.CHECKPOINTING[1:])
def test_checkpointing_changes_neither_results_nor_gradients_nor_statistics(checkpointing: str) -> None:
    frames = pixels(real_frames((60, 84)))
    plain = Narrow(CLASSES, checkpointing="none")
    same = Narrow(CLASSES, checkpointing=checkpointing)
    same.load_state_dict(plain.state_dict())
    expected, results = train(plain, frames), train(same, frames)
    assert len(expected) == len(results)
    assert all(torch.equal(one, other) for one, other in zip(expected, results))
    assert same.encoder[0][0][1].num_batches_tracked == 2
    assert same.encoder[0][0][1].momentum == 0.1


@pytest.mark.parametrize("checkpointing", SegNet.CHECKPOINTING[1:])
def test_checkpointing_is_not_in_the_exported_graph(checkpointing: str) -> None:
    frames = (torch.zeros(1, 3, 32, 32),)
    plain, other = (
        torch.export.export(Narrow(CLASSES, checkpointing=name).eval(), frames)
        for name in ("none", checkpointing)
    )
    assert plain.graph_module.code == other.graph_module.code


def test_a_checkpointing_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no checkpointing 'all'; choose one of none, norms, stages"):
        SegNet(CLASSES, checkpointing="all")


@pytest.mark.parametrize(
    ("net", "size_hw"),
    [(SegNet, (60, 84)), (Narrow, (96, 128)), (SegNetCompact, (60, 84)), (SegNetCompact, (96, 128))],
)
def test_the_exported_graph_on_real_frames(
    net: type[nn.Module], size_hw: tuple[int, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    frames = real_frames(size_hw)
    made = net(CLASSES)
    with torch.no_grad():  # statistics of real frames: without them, deep layers answer with next to nothing
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
            elif isinstance(module, Unpool):
                module.share.uniform_()
        made.train()(pixels(frames))
    graph = MaskGraph(made, temperature=1.0).eval()
    labels = tuple(f"class {k}" for k in range(CLASSES))
    spec = ModelSpec("segmentation", labels, wheel(CLASSES), size_hw, trained_on="nothing")
    model = tmp_path / "model.onnx"
    write(graph, spec, model)

    with torch.no_grad():
        mask, confidence = (output.numpy() for output in graph(frames))
    assert mask.shape == (len(frames), *size_hw)
    assert np.bincount(mask.ravel()).max() < 0.99 * mask.size  # something to agree on
    assert compare(graph, model, [frames]) >= AGREEMENT
    of_engine = open_engine(model, device="cpu").infer(frames.numpy())["confidence"]
    assert (np.abs(of_engine.astype(int) - confidence) <= 1).mean() >= AGREEMENT

    assert engine_size(model) > 0


@pytest.mark.parametrize("net", [Narrow, SegNetCompact])
@pytest.mark.parametrize("size_hw", [(32, 48), (45, 63)])
@torch.no_grad()
def test_training_sees_the_same_logits_as_the_car(net: type[nn.Module], size_hw: tuple[int, int]) -> None:
    made, frames = net(CLASSES).eval(), 255 * torch.rand(2, 3, *size_hw)
    logits = made(frames)
    assert logits.shape == (2, CLASSES, *size_hw)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        sampled = made.sampled(frames, row, column)
        torch.testing.assert_close(sampled, logits[..., row::2, column::2])


def test_every_second_pixel_of_an_enlarged_picture() -> None:
    small = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    large = enlarge(small)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        torch.testing.assert_close(enlarged_at(small, row, column), large[..., row::2, column::2])
