"""Pictures and label images are read as the car reads frames; what cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.frames import resize
from training.datasets.images import DataError, MaskImage
from training.datasets.pictures import read_bgr, read_mask
from training.datasets.tensors import load_masks
from training.segmentation import data as segmentation


def test_more_pixels_than_the_car_takes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    cv2.imwrite(str(path), np.zeros((9000, 8000), np.uint8))
    with pytest.raises(DataError, match=r"huge\.png cannot be read .* the limit is 64 megapixels"):
        read_bgr(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_more_than_8_bits_are_refused_and_not_read_as_night(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), np.full((20, 30, 3), 2000, np.uint16))  # 12 bits in 16
    with pytest.raises(DataError, match="bits a channel; save it with 8"):
        read_bgr(path)


def test_a_broken_picture_is_named(camvid: Path) -> None:
    (camvid / "train" / "0.png").write_bytes(b"not a picture")
    data = segmentation.MaskData(str(camvid))
    with pytest.raises(DataError, match=r"0\.png"):
        data.setup()


def test_masks_of_another_size_are_read_without_a_shift(tmp_path: Path) -> None:
    columns = np.tile(np.arange(0, 240, 3, dtype=np.uint8), (60, 1))
    cv2.imwrite(str(tmp_path / "mask.png"), columns)
    image = MaskImage(path=tmp_path / "frame.png", mask_path=tmp_path / "mask.png")
    mask = load_masks([image], (45, 61), np.arange(256, dtype=np.uint8))[0].numpy()
    frame = resize(np.dstack([columns] * 3), (45, 61))[:, :, 0]
    assert abs(float(np.mean(mask.astype(float) - frame))) / 3 * 61 / 80 < 0.1


def test_label_images_of_less_than_a_byte_a_pixel_are_refused(tmp_path: Path) -> None:
    # OpenCV reads the ones as 255, which would not count.
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), np.eye(8, dtype=np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
    with pytest.raises(DataError, match=r"mask\.png holds 1-bit values"):
        read_mask(path, np.arange(256, dtype=np.uint8))
