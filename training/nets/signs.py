"""The sign classifier: a plain stack of convolutions that folds and quantises without surprises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# (output channels, kernel, stride) of each convolution: 48×48 pixels in, 6×6 features out. A 5×5 stem with
# stride 2 costs as much as a 3×3 with 16 channels at full size, and a third less time to train.
LAYERS = ((32, 5, 2), (48, 3, 1), (64, 3, 2), (96, 3, 1), (112, 3, 2), (128, 3, 1))


class SignNet(nn.Module):
    """0.33 M parameters, 29 MMAC at 48×48.

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
        for base, kernel, stride in LAYERS:
            out = round(base * width)
            layers += [
                nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
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
        return self.head(self.pooled(frames))

    def pooled(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, F) features, the mean over the picture."""
        return torch.mean(self.features(frames / 127.5 - 1.0), dim=(2, 3))
