"""SegNet: an encoder–decoder whose decoder puts values back where max pooling found them.

Both nets take (N, 3, H, W) BGR in 0…255 and give (N, classes, H, W) logits, for any H and W.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.nets.phases import pool, unpool


def conv(inputs: int, outputs: int, *, dilation: int = 1, relu: bool = True) -> nn.Sequential:
    """3×3 convolution, batch norm and, unless told otherwise, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, dilation=dilation),
            conv(channels, channels, dilation=dilation, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


class Context(nn.Module):
    """The mean of the whole picture weighs each channel (squeeze-and-excitation, Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 4, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.weigh(x.mean(dim=(2, 3), keepdim=True)))


class SegNetCompact(nn.Module):
    """SegNet for small GPUs and CPUs: residual stages, dilated context, unpooling with skips.

    Four 2×2 poolings as SegNet-Basic has (Badrinarayanan et al. 2017, sec. 3.1), their phases shared with the
    decoder. Beyond the paper: residual blocks, dilation at 1/16, and the encoder's features added after each
    unpooling, which fill in the three places of each window that pooling dropped.

    Args:
        classes: number of classes.
        width: channels at full resolution; deeper stages have 2, 4 and 8 times as many.
        dilations: one residual block at 1/16 for each.
    """

    STRIDE = 16

    def __init__(self, classes: int, *, width: int = 16, dilations: tuple[int, ...] = (2, 4, 8)) -> None:
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 4 * width, 8 * width
        self.encoder = nn.ModuleList(
            [
                conv(3, w1),
                conv(w1, w2),
                nn.Sequential(conv(w2, w3), Residual(w3)),
                nn.Sequential(conv(w3, w4), Residual(w4)),
            ]
        )
        self.context = nn.Sequential(*(Residual(w4, dilation=d) for d in dilations), Context(w4))
        self.decoder = nn.ModuleList([conv(w4, w3), conv(w3, w2), conv(w2, w1)])
        # Without a 3×3 convolution after the last unpooling neighbours disagree: masks come out grainy.
        self.refine = conv(w1, w1)
        self.classify = nn.Conv2d(w1, classes, 1)

    def forward(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        x = F.pad(frames / 127.5 - 1.0, (0, -width % self.STRIDE, 0, -height % self.STRIDE))
        places = []
        for stage in self.encoder:
            features = stage(x)
            x, phase = pool(features)
            places.append((features, phase))
        x = self.context(x)
        for stage in self.decoder:
            features, phase = places.pop()
            x = stage(unpool(x, phase) + features)
        features, phase = places.pop()
        logits = self.classify(self.refine(unpool(x, phase) + features))
        return logits[..., :height, :width]


class SegNet(nn.Module):
    """The paper's network (Badrinarayanan et al. 2017, fig. 2): VGG16's 13 convolutions, mirrored; 29 M.

    Args:
        classes: number of classes.
    """

    STRIDE = 32
    STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))

    def __init__(self, classes: int) -> None:
        super().__init__()
        encoder, decoder, inputs = [], [], 3
        for channels, depth in self.STAGES:
            encoder.append(
                nn.Sequential(conv(inputs, channels), *(conv(channels, channels) for _ in range(depth - 1)))
            )
            last = conv(channels, inputs) if inputs != 3 else nn.Conv2d(channels, classes, 3, padding=1)
            decoder.append(nn.Sequential(*(conv(channels, channels) for _ in range(depth - 1)), last))
            inputs = channels
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(reversed(decoder))

    def forward(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        x = F.pad(frames / 127.5 - 1.0, (0, -width % self.STRIDE, 0, -height % self.STRIDE))
        phases = []
        for stage in self.encoder:
            x, phase = pool(stage(x))
            phases.append(phase)
        for stage in self.decoder:
            x = stage(unpool(x, phases.pop()))
        return x[..., :height, :width]
