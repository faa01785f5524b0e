"""Why pixels get their class: Grad-CAM for each class of a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.frames import Frame, resize
from training.explain.question import Explainer, Question, as_frames, class_ids, frozen
from training.opened import Opened
from training.segmentation.net import SegNet, SegNetCompact, steps

STRIDE = 16  # px of a frame that a cell of the deepest features stands for
LEAST = 0.01  # share of the pixels that a class needs to be asked about unless it is named
PATCHES = 12  # that cover a frame's height


class OfRegions(nn.Module):
    """(N, 3, H, W) BGR in 0…255 to (N, K): the mean logit of each class over its pixels (Vinogradova 2020).

    Args:
        net: to logits (N, K, H, W).
        regions: (K, H, W) 1 for the pixels of each class.
    """

    regions: Tensor

    def __init__(self, net: nn.Module, regions: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("regions", regions / regions.sum(dim=(1, 2), keepdim=True).clamp(min=1.0))

    def forward(self, frames: Tensor) -> Tensor:
        means: Tensor = (self.net(frames) * self.regions).sum(dim=(2, 3))
        return means


def questions(net: Opened, frame: Frame, names: Sequence[str]) -> Iterator[Question]:
    """About the pixels of each class that the mask has, or of these classes."""
    own = frozen(net.module.net)
    frames = as_frames(resize(frame, net.spec.input_hw))
    with torch.no_grad():
        logits: Tensor = own(frames)
    count = len(net.spec.labels)
    regions = F.one_hot(logits[0].argmax(dim=0), count).permute(2, 0, 1).float()
    shares, surety = regions.mean(dim=(1, 2)), logits[0].softmax(dim=0)
    patch = net.spec.input_hw[0] // PATCHES
    for class_id in class_ids(names, net.spec.labels) or range(count):
        if shares[class_id] < (1e-9 if names else LEAST):
            continue
        region = regions[class_id]
        yield Question(
            net.spec.labels[class_id],
            float((surety[class_id] * region).sum() / region.sum()),
            OfRegions(own, regions),
            frames,
            class_id,
            layer=deepest(own),
            stride=STRIDE,
            patch=patch,
            step=patch,
            inside=region.numpy().astype(bool),
        )


def deepest(net: nn.Module) -> nn.Module:
    """The module whose features see most of the frame."""
    if isinstance(net, SegNet):
        return steps(net.encoder[-1])[-1]  # it runs the steps of its stages one by one
    assert isinstance(net, SegNetCompact)
    return net.context


EXPLAINER = Explainer(("gradcam", "occlusion"), questions, slow=("occlusion",))
