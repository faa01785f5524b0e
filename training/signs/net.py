"""The sign classifier: a plain stack of convolutions that folds and quantises without surprises."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

# (output channels, kernel, stride) of each convolution: 64×64 pixels in, 8×8 features out. Multiples of 32
# channels are what processors compute fastest, and most of the work is where the picture is small already.
LAYERS = ((32, 6, 2), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (128, 3, 1))
FEATURES_HW = (8, 8)


class SignNet(nn.Module):
    """0.44 M parameters, 41 MMAC at 64×64.

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
                nn.Conv2d(channels, out, kernel, stride, (kernel - 1) // 2, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
            ]
            channels = out
        self.features = nn.Sequential(*layers)
        # A crop has its pictogram in the middle and the street in its corners, so each feature learns which
        # positions count: a global depthwise convolution (Chen et al. 2018, MobileFaceNets), at first the
        # mean. Files of weights have it under the name "places".
        self.places = nn.Conv2d(channels, channels, FEATURES_HW, groups=channels, bias=False)
        nn.init.constant_(self.places.weight, 1 / math.prod(FEATURES_HW))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes + 1))

    def forward(self, frames: Tensor) -> Tensor:
        """Classify.

        Args:
            frames: (N, 3, H, W) BGR in 0…255.

        Returns:
            (N, classes + 1) logits; the last one stands for "no known sign".
        """
        logits: Tensor = self.head(self.pooled(frames))
        return logits

    def pooled(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) BGR in 0…255 to (N, F) features, a weighted sum over the picture."""
        features: Tensor = self.features(frames / 127.5 - 1.0)
        if features.shape[-2:] != FEATURES_HW:
            features = F.interpolate(features, FEATURES_HW, mode="bilinear", align_corners=False)
        if (
            self.training
        ):  # the same; on CPUs, torch takes ten times as long to go back through the convolution
            return (features * self.places.weight[:, 0]).sum(dim=(2, 3))
        pooled: Tensor = self.places(features)
        return pooled.flatten(1)
