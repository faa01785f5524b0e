"""Adversarial noise stays within its radius and raises its loss, however sure the net is."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

from training import adversarial

IDS = torch.tensor([0, 1, 0, 1])


def frames() -> Tensor:
    """Blue and green by turns, the last two near black, so that noise meets the lower end."""
    own = torch.full((4, 3, 6, 6), 2.0)
    for place, class_id in enumerate(IDS.tolist()):
        own[place, class_id] = 90.0 if place < 2 else 6.0
    return own


def net(sureness: float) -> adversarial.Net:
    """Blue or green, and a third class that nothing is."""

    def logits(given: Tensor) -> Tensor:
        means = given.mean(dim=(2, 3))
        return sureness * torch.stack([means[:, 0], means[:, 1], means[:, 2] - 300.0], dim=1)

    return logits


@pytest.mark.parametrize("loss", [adversarial.cross_entropy(), adversarial.margin()])
def test_noise_is_within_its_radius_and_the_range_of_pictures(loss: adversarial.Loss) -> None:
    torch.manual_seed(0)
    clean = frames()
    noisy = {
        "fgsm": adversarial.fgsm(net(0.01), clean, IDS, loss, radius=5.0),
        "pgd": adversarial.pgd(net(0.01), clean, IDS, loss, radius=5.0, steps=4),
    }
    for name, given in noisy.items():
        assert (given - clean).abs().max() <= 5.0 + 1e-4, name
        assert given.min() >= 0 and given.max() <= 255
        assert not given.requires_grad
        before, after = (loss(net(0.01)(own), IDS) for own in (clean, given))
        assert (after > before).all(), name
    assert torch.equal(clean, frames())


def test_a_sure_net_has_no_gradient_of_the_cross_entropy_and_one_of_the_margin() -> None:
    torch.manual_seed(0)
    sure = net(100.0)
    ids, clean = IDS[2:], frames()[2:]
    blunted = adversarial.pgd(sure, clean, ids, adversarial.cross_entropy(), radius=4.0, steps=10)
    misled = adversarial.pgd(sure, clean, ids, adversarial.margin(), radius=4.0, steps=10)
    assert torch.equal(sure(blunted).argmax(dim=1), ids)
    assert not (sure(misled).argmax(dim=1) == ids).any()


def test_a_small_gradient_is_followed() -> None:
    misled = adversarial.fgsm(net(1e-6), frames()[2:], IDS[2:], adversarial.cross_entropy(), radius=4.0)
    assert not (net(1.0)(misled).argmax(dim=1) == IDS[2:]).any()


def test_only_the_first_classes_count_if_that_is_said() -> None:
    logits = torch.tensor([[1.0, 0.0, 9.0]])
    wanted = torch.tensor([0])
    assert adversarial.margin()(logits, wanted).item() == pytest.approx(8.0)
    assert adversarial.margin(2)(logits, wanted).item() == pytest.approx(-1.0)
    assert adversarial.cross_entropy(2)(logits, wanted) < adversarial.cross_entropy()(logits, wanted)


def test_nothing_is_warned_of() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adversarial.pgd(net(0.01), frames(), IDS, adversarial.margin(), radius=2.0, steps=2)
    assert not [one for one in said if "gradients" in str(one.message)]


def test_there_are_gradients_where_lightning_validates() -> None:
    with torch.inference_mode():
        clean, ids = frames(), IDS.clone()
        noisy = adversarial.pgd(net(0.01), clean, ids, adversarial.margin(), radius=2.0, steps=2)
        stepped = adversarial.fgsm(net(0.01), clean, ids, adversarial.margin(), radius=2.0)
    assert (noisy != clean).any() and (stepped != clean).any()
