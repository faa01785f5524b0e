"""Methods put the evidence where it is known to be, and say for what it speaks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.explain.methods import METHODS, deconvolution, guided_backprop
from training.explain.question import Question, frozen

FOR, AGAINST = (slice(8, 16), slice(40, 48)), (slice(48, 56), slice(8, 16))


class Known(nn.Module):
    """The more green in one place the surer, the more green in another the less; all else does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 2, 8, 8, bias=False)
        weights = torch.zeros(2, 3, 8, 8)
        weights[0, 1] = 1 / 64  # the mean of green
        self.features.weight.data = weights
        self.places = torch.zeros(1, 2, 8, 8)
        self.places[0, 0, 1, 5], self.places[0, 0, 6, 1] = 0.05, -0.03

    def forward(self, frames: Tensor) -> Tensor:
        odds = (self.features(frames) * self.places).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


def asked(model: nn.Module, frames: Tensor, layer: nn.Module) -> Question:
    return Question("known", 1.0, model, frames, 1, patch=8, step=4, layer=layer, stride=8)


@pytest.mark.parametrize("name", ["occlusion", "lime"])
def test_what_is_covered_tells_for_and_against(name: str) -> None:
    torch.manual_seed(0)
    frames = torch.rand(1, 3, 64, 64) * 60 + 30
    for place in (FOR, AGAINST):
        frames[0, 1][place] = 250.0
    model = Known()
    heat = METHODS[name](asked(model, frames, model.features))
    assert heat.shape == (64, 64)
    strongest = np.unravel_index(heat.argmax(), heat.shape)
    assert heat[FOR].mean() > 2.0 and heat[AGAINST].mean() < -1.0
    assert all(place.start <= at < place.stop for place, at in zip(FOR, strongest))
    rest = np.ones_like(heat, bool)
    for rows, columns in (FOR, AGAINST):  # occlusion's patches overlap their neighbours
        rest[rows.start - 8 : rows.stop + 8, columns.start - 8 : columns.stop + 8] = False
    assert np.abs(heat[rest]).max() < 0.2
    assert np.array_equal(heat, METHODS[name](asked(model, frames, model.features)))  # nothing by chance


def test_gradcam_is_where_the_features_are_and_as_large_as_the_picture() -> None:
    frames = torch.zeros(1, 3, 60, 64)  # no multiple of the stride
    frames[0, 1][FOR] = 250.0
    model = Known()
    model.places.fill_(0.05)
    padded = nn.Sequential(nn.ZeroPad2d((0, 0, 0, 4)), model)
    heat = METHODS["gradcam"](asked(padded, frames, model.features))
    assert heat.shape == (60, 64) and heat.min() == 0.0
    rows, columns = np.nonzero(heat > 0.5 * heat.max())
    assert rows.min() >= 6 and rows.max() < 18 and columns.min() >= 38 and columns.max() < 50
    model.places.fill_(-0.05)
    assert not METHODS["gradcam"](asked(padded, frames, model.features)).any()  # it all speaks against


def by_hand(
    rule: Callable[[Tensor, Tensor], Tensor], frames: Tensor, first: Tensor, second: Tensor
) -> Tensor:
    """Gradients of a net of two convolutions of single pixels with ReLUs, where ``rule`` goes back."""
    before = torch.einsum("oc,chw->ohw", first, frames[0])
    after = torch.einsum("oc,chw->ohw", second, before.relu())
    back = rule(torch.ones_like(after), after)
    back = rule(torch.einsum("oc,ohw->chw", second, back), before)
    return torch.einsum("oc,ohw->chw", first, back).abs().sum(dim=0)


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        (guided_backprop, lambda gradient, value: gradient.relu() * (value > 0)),
        (deconvolution, lambda gradient, value: gradient.relu()),
    ],
)
def test_relus_change_gradients_although_they_overwrite_their_inputs(
    method: Callable[[Question], np.ndarray], rule: Callable[[Tensor, Tensor], Tensor]
) -> None:
    torch.manual_seed(0)
    frames, first, second = torch.randn(1, 3, 6, 6), torch.randn(4, 3), torch.randn(1, 4)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, 4, 1, bias=False),
                nn.ReLU(inplace=True),
                nn.Conv2d(4, 1, 1, bias=False),
                nn.ReLU(inplace=True),
            )
            for index, weights in ((0, first), (2, second)):
                self.layers[index].weight.data = weights[..., None, None]

        def forward(self, frames: Tensor) -> Tensor:
            total = self.layers(frames).sum(dim=(1, 2, 3))
            return torch.stack([-total, total], dim=1)

    net = Net()
    own = frozen(net)
    heat = method(asked(own, frames, own.layers))
    assert np.allclose(heat, by_hand(rule, frames, first, second).numpy(), atol=1e-5) and heat.any()
    assert net.layers[1].inplace and next(net.parameters()).requires_grad  # the net itself is left alone
