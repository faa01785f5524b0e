"""The net that finds signs: maps at a quarter of the frame's size of where signs are, and how large."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 16  # px; height and width of a frame are multiples of it
CELL = 4  # px of a cell of the maps
UNIT = 8.0  # px; distances are the exponentials of the maps in this unit
BOXES = 100  # that a frame gives
CENTER, BOX, FACE = slice(0, 1), slice(1, 5), slice(5, 6)  # the maps


class SignFinder(nn.Module):
    """A stem of stride 4, stages of stride 8 to 32, and their sum from the coarsest to the finest.

    The head gives each cell of stride 8 as four of stride 4 (sub-pixel convolution, Shi et al. 2016). That a
    sign is its centre is after CenterNet (Zhou et al. 2019), that a box is four distances after FCOS (Tian et
    al. 2019).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 32, 8, CELL, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU(inplace=True)
        )
        self.down8 = convolution(32, 48, 3, stride=2)
        self.down16 = nn.Sequential(
            convolution(48, 64, 3, stride=2), *[convolution(64, 64, 3) for _ in range(3)]
        )
        self.down32 = nn.Sequential(convolution(64, 64, 3, stride=2), convolution(64, 64, 3))
        self.from32 = projection(64, 64)
        self.from16 = projection(64, 48)
        self.from8 = projection(48, 48)
        self.fuse = convolution(48, 48, 3)
        self.head = nn.Conv2d(48, 6 * 4, 1)
        nn.init.normal_(self.head.weight, 0.0, 0.01)
        bias = torch.zeros(6, 4)
        bias[CENTER], bias[FACE] = -5.0, -4.0  # nearly every cell shows no sign
        self.head.bias = nn.Parameter(bias.flatten())

    def forward(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) float32 BGR in 0…255 to maps (N, 6, H/4, W/4).

        They are the logit of a sign's centre, the logarithms of the distances to left, top, right and bottom
        in UNIT, and the logit that the cell is within a sign.
        """
        return self.maps(self.stem(frames * (1.0 / 255.0)))

    def maps(self, x: Tensor) -> Tensor:
        """What follows the stem: (N, 32, H/4, W/4) to the maps."""
        fine = self.down8(x)
        middle = self.down16(fine)
        height, width = middle.shape[-2:]
        # The coarsest stage rounds up, so that frames of 1360 px need no padding.
        middle = F.relu(middle + twice(self.from32(self.down32(middle)))[..., :height, :width])
        joined = F.relu(self.from8(fine) + twice(self.from16(middle)))
        return F.pixel_shuffle(self.head(self.fuse(joined)), 2)


def convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """A convolution with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def projection(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution of single cells, before a sum."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def twice(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W): each cell becomes four."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The boxes at the peaks of one frame's centre map.

    A peak is a cell that none of its eight neighbours exceeds, so no box has to be suppressed by others.

    Args:
        maps: (1, 6, H, W) of :class:`SignFinder`.

    Returns:
        (BOXES, 4) xyxy px and (BOXES,) how much each looks like a sign in 0…1, best first: the geometric mean
        of centre and face, where the face counts three times. Behind the last peak all are 0.
    """
    center, face = maps[:, CENTER], maps[:, FACE].sigmoid()
    is_peak = center == F.max_pool2d(center, 3, 1, 1)
    product = torch.where(is_peak, center.sigmoid() * face * face * face, torch.zeros_like(center))
    # A small frame has fewer cells than boxes.
    best, cells = torch.topk(torch.cat([product.flatten(), product.new_zeros(BOXES)]), BOXES)
    width = maps.shape[-1]
    last = maps.shape[-2] * width - 1
    cells = cells.clamp(max=last)
    reach = maps[0, BOX].flatten(1).index_select(1, cells).exp() * UNIT
    # In floating point, because TensorRT divides no 64-bit integers.
    row = torch.floor((cells.float() + 0.5) / width)
    x, y = CELL * (cells.float() - row * width) + CELL / 2, CELL * row + CELL / 2
    left, top, right, bottom = reach
    boxes = torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    return boxes, best.sqrt().sqrt()
