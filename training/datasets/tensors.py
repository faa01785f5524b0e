"""Pictures and label images of data sets, all into memory, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perception.frames import resize
from training.datasets.images import DataError, MaskImage
from training.datasets.pictures import read_bgr, read_mask, require_unturned
from training.malloc import free


def load_frames(paths: Sequence[Path], size_hw: tuple[int, int]) -> Tensor:
    """Read pictures into memory, resized as the car resizes: (N, 3, H, W) uint8 BGR.

    Raises:
        DataError: one cannot be read, or memory is too small for all.
    """
    height, width = size_hw
    if (needed := 3 * len(paths) * height * width) > (available := free()):
        raise DataError(
            f"{len(paths)} pictures of {width}x{height} take {needed / 1e9:.1f} GB of memory, and "
            f"{available / 1e9:.1f} GB are free; lower --data.size or --data.size_hw"
        )
    frames = np.empty((len(paths), *size_hw, 3), np.uint8)
    for frame, path in zip(frames, paths):
        frame[:] = resize(read_bgr(path), size_hw)
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def load_masks(images: Sequence[MaskImage], size_hw: tuple[int, int], ids: NDArray[np.uint8]) -> Tensor:
    """Read label images into memory: (N, H, W) uint8 class ids, 255 = unlabelled."""
    masks = np.empty((len(images), *size_hw), np.uint8)
    height, width = size_hw
    for mask, image in zip(masks, images):
        require_unturned(image.path)
        mask[:] = cv2.resize(
            read_mask(image.mask_path, ids), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
        )
    return torch.from_numpy(masks)
