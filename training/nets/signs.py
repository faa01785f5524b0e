"""The sign classifier: a plain stack of 3×3 convolutions that folds and quantises without surprises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# (output channels, stride) of each 3×3 convolution: 48×48 pixels in, 6×6 features out.
LAYERS = ((16, 1), (32, 2), (48, 1), (64, 2), (96, 1), (128, 2), (128, 1))


class SignNet(nn.Module):
    """0.4 M parameters, 33 MMAC at 48×48.

    Args:
        classes: number of known classes; one more output is added for "no known sign".
        width: factor on all channel counts; a teacher is the same net, wider.
        dropout: before the last layer.
    """

    def __init__(self, classes: int, *, width: float = 1.0, dropout: float = 0.2) -> None:
        super().__init__()
        self.classes = classes
        layers: list[nn.Module] = []
        channels = 3
        for base, stride in LAYERS:
            out = round(base * width)
            layers += [
                nn.Conv2d(channels, out, 3, stride, 1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
            channels = out
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes + 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Classify.

        Args:
            frames: (N, 3, H, W) BGR in 0…255.

        Returns:
            (N, classes + 1) logits; the last one stands for "no known sign".
        """
        x = self.features(frames / 127.5 - 1.0)
        return self.head(torch.mean(x, dim=(2, 3)))
