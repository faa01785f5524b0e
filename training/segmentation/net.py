"""SegNet: an encoder and a decoder, which puts values back to the positions that max pooling took them from.

Both nets take (N, 3, H, W) BGR in 0…255 and give (N, classes, H, W) logits, for any H and W.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from training.segmentation.phases import pool, unpool

DARK = 0.005  # deviation of a channel that shows nothing


def conv(
    inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1, relu: bool = True
) -> nn.Sequential:
    """3×3 convolution, batch norm and, by default, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False),
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


class Unpool(nn.Module):
    """Unpooling that gives the window's other three pixels a learnt share of the value, at first nothing.

    If they stay empty, three of four pixels know only their small surroundings, and masks of new streets are
    grainy. One weight a channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, phase: Tensor) -> Tensor:
        return unpool(x, phase, self.share[:, None, None] * x)


class SegNetCompact(nn.Module):
    """SegNet for small GPUs and CPUs: residual stages, dilated context, unpooling with skips.

    The first convolution halves the picture, because most of the time beside convolutions goes into pooling
    and unpooling at full resolution. Three 2×2 poolings follow, their phases shared with the decoder as in
    SegNet (Badrinarayanan et al. 2017, sec. 3.1), and the logits of half the resolution are scaled up.
    Beyond the paper: residual blocks, dilation at 1/16, and the three pixels of each window that pooling
    dropped get the encoder's features, added after each unpooling, and a share of the unpooled value.

    Args:
        classes: number of classes.
        widths: channels at 1/2, 1/4, 1/8 and 1/16 of the resolution.
        dilations: one residual block at 1/16 for each.
    """

    STRIDE = 16

    def __init__(
        self,
        classes: int,
        *,
        widths: tuple[int, int, int, int] = (16, 48, 96, 128),
        dilations: tuple[int, ...] = (1, 2, 4),
    ) -> None:
        super().__init__()
        w1, w2, w3, w4 = widths
        self.encoder = nn.ModuleList(
            [conv(3, w1, stride=2), conv(w1, w2), nn.Sequential(conv(w2, w3), Residual(w3))]
        )
        self.context = nn.Sequential(
            conv(w3, w4), *(Residual(w4, dilation=d) for d in dilations), Context(w4), conv(w4, w3)
        )
        self.unpool = nn.ModuleList([Unpool(w3), Unpool(w2), Unpool(w1)])
        # Without a 3×3 convolution after the last unpooling, neighbours disagree and masks are grainy.
        self.decoder = nn.ModuleList([conv(w3, w2), conv(w2, w1), conv(w1, w1)])
        self.classify = nn.Conv2d(w1, classes, 1)

    def forward(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        return enlarge(self.coarse(frames))[..., :height, :width]

    def coarse(self, frames: Tensor) -> Tensor:
        """Logits (N, classes, H/2, W/2) of half the resolution, rounded up."""
        height, width = frames.shape[-2:]
        x = F.pad(standardised(frames), (0, -width % self.STRIDE, 0, -height % self.STRIDE))
        skips = []
        for stage in self.encoder:
            features = stage(x)
            x, phase = pool(features)
            skips.append((features, phase))
        x = self.context(x)
        for unpooled, stage in zip(self.unpool, self.decoder):
            features, phase = skips.pop()
            x = stage(unpooled(x, phase) + features)
        logits: Tensor = self.classify(x)
        return logits[..., : -(-height // 2), : -(-width // 2)]

    def sampled(self, frames: Tensor, row: int, column: int) -> Tensor:
        """Every second row and column of the logits, from this row and column (0 or 1) on.

        Training a quarter of the pixels, another one in each step, takes half the time of training all.
        """
        height, width = frames.shape[-2:]
        logits = enlarged_at(self.coarse(frames), row, column)
        return logits[..., : -(-(height - row) // 2), : -(-(width - column) // 2)]


def standardised(frames: Tensor) -> Tensor:
    """Each channel of each picture with mean 0 and deviation 1, because exposure and tint are the camera's.

    Every fourth row and column say what the mean and the deviation are, in a quarter of the time.
    """
    x = frames / 255.0
    some = x[..., ::4, ::4]
    mean = some.mean(dim=(2, 3), keepdim=True)
    deviation = (some - mean).square().mean(dim=(2, 3), keepdim=True).sqrt()
    return (x - mean) / (deviation + DARK)


def enlarge(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W), bilinearly."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def enlarged_at(x: Tensor, row: int, column: int) -> Tensor:
    """Every second row and column of :func:`enlarge`, from this row and column (0 or 1) on: (N, C, H, W)."""
    height, width = x.shape[-2:]
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = torch.lerp(x[:, :, 1:-1], x[:, :, 2 * row : 2 * row + height], 0.25)
    return torch.lerp(x[..., 1:-1], x[..., 2 * column : 2 * column + width], 0.25)


class SegNet(nn.Module):
    """The paper's network (Badrinarayanan et al. 2017, fig. 2): VGG16's 13 convolutions, mirrored; 29 M.

    Args:
        classes: number of classes.
        checkpointing: what training computes again in the backward pass instead of keeping it (Chen et al.
            2016); results and gradients are the same. ``"norms"``: batch norms, ReLUs, pooling and unpooling,
            so that a layer keeps its convolution's output alone. ``"stages"``: everything but the stages'
            inputs, at the price of a second forward pass. ``"none"``: nothing.

    Raises:
        ValueError: there is no such checkpointing.
    """

    STRIDE = 32
    STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    CHECKPOINTING = ("none", "norms", "stages")

    def __init__(self, classes: int, *, checkpointing: str = "norms") -> None:
        super().__init__()
        if checkpointing not in self.CHECKPOINTING:
            choices = ", ".join(self.CHECKPOINTING)
            raise ValueError(f"no checkpointing {checkpointing!r}; choose one of {choices}")
        self.checkpointing = checkpointing
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

    @property
    def classify(self) -> nn.Conv2d:
        """The convolution that gives the logits."""
        last = list(self.decoder.modules())[-1]
        assert isinstance(last, nn.Conv2d)
        return last

    def forward(self, frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        x = F.pad(frames / 127.5 - 1.0, (0, -width % self.STRIDE, 0, -height % self.STRIDE))
        phases = []
        for stage in self.encoder:
            x, phase = self._run([*steps(stage), pool], x)
            phases.append(phase)
        for stage in self.decoder:
            x = self._run([unpool, *steps(stage)], x, phases.pop())
        return x[..., :height, :width]

    def sampled(self, frames: Tensor, row: int, column: int) -> Tensor:
        """Every second row and column of the logits, from this row and column (0 or 1) on."""
        logits: Tensor = self(frames)
        return logits[..., row::2, column::2]

    def _run(self, stage: list[Callable[..., Any]], *inputs: Tensor) -> Any:
        """Run the steps of a stage, in training split into the parts that keep nothing but their inputs."""
        if not self.training or self.checkpointing == "none":
            return run(stage, *inputs)
        parts = [stage] if self.checkpointing == "stages" else split(stage)
        x = checkpointed(parts[0], *inputs)
        for part in parts[1:]:
            x = checkpointed(part, x)
        return x


def steps(stage: nn.Module) -> list[nn.Module]:
    """All convolutions, norms and ReLUs of a stage, in order."""
    return [module for module in stage.modules() if not isinstance(module, nn.Sequential)]


def split(stage: list[Callable[..., Any]]) -> list[list[Callable[..., Any]]]:
    """Cut a stage behind each convolution.

    A convolution's gradient needs its input and not its output. So recomputation stops in front of it: as the
    last step of a part, a convolution is never computed twice.
    """
    cuts = [0, *(i + 1 for i, step in enumerate(stage) if isinstance(step, nn.Conv2d)), len(stage)]
    return [stage[start:end] for start, end in pairwise(cuts) if end > start]


def run(part: list[Callable[..., Any]], *inputs: Tensor) -> Any:
    """Run each step on the result of the one before; the last one may give several tensors."""
    x = part[0](*inputs)
    for step in part[1:]:
        x = step(x)
    return x


def checkpointed(part: list[Callable[..., Any]], *inputs: Tensor) -> Any:
    """Run the steps so that the backward pass computes them again; nothing in them is random."""
    return checkpoint(
        run,
        part,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), counted_before(part)),
    )


@contextmanager
def counted_before(part: list[Callable[..., Any]]) -> Iterator[None]:
    """Let batch norms leave their running statistics alone: the forward pass has counted this batch."""
    norms = [step for step in part if isinstance(step, nn.BatchNorm2d)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, batches
