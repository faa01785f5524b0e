"""GTSDB (Houben et al. 2013): the signs in its street pictures, and what is beside them.

Any other folder of pictures serves as background, too.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from perception.frames import resize
from training.datasets.gtsrb import LABELS
from training.datasets.images import BoxImage, BoxSet, DataError, files
from training.datasets.pictures import read_bgr
from training.datasets.text import read_rows

LIST = "gt.txt"
Box = tuple[int, int, int, int]
ATTEMPTS = 1000  # positions to try for a crop
SIDES = (16, 200)  # px, the smallest and largest crop: as far as signs in these pictures go


def is_gtsdb(root: Path) -> bool:
    """Whether the folder has the list of GTSDB."""
    return (root / LIST).is_file()


def read(root: Path) -> BoxSet:
    """Read all pictures with their signs, whose classes are GTSRB's.

    Raises:
        DataError: as :func:`boxes`, or a class is none of GTSRB's.
    """
    signs = _signs(root)
    images = []
    for path in files(root):
        own = signs[path.stem]
        images.append(BoxImage(path, tuple(box for box, _ in own), tuple(class_id for _, class_id in own)))
    return BoxSet("GTSDB", LABELS, tuple(images))


def boxes(root: Path) -> dict[str, list[Box]]:
    """The signs in each picture, xyxy px, if ``gt.txt`` lists them (``file;x1;y1;x2;y2;class``).

    Returns:
        By the file's name without its ending: GTSDB's are ``.ppm``, and may have been converted.

    Raises:
        DataError: a line has another form, or no listed picture exists.
    """
    named: dict[str, list[Box]] = defaultdict(list)
    for name, signs in _signs(root).items():
        named[name] = [box for box, _ in signs]
    return named


def _signs(root: Path) -> dict[str, list[tuple[Box, int]]]:
    signs: dict[str, list[tuple[Box, int]]] = defaultdict(list)
    listed = root / LIST
    if not listed.is_file():
        return signs
    try:
        for row in read_rows(listed):
            name, x1, y1, x2, y2, class_id = row
            if not 0 <= int(class_id) < len(LABELS):
                raise ValueError(f"{class_id} is no class of GTSRB")
            signs[Path(name).stem].append(((int(x1), int(y1), int(x2), int(y2)), int(class_id)))
    except ValueError as error:
        raise DataError(f"{listed}: {error}; a line is file;x1;y1;x2;y2;class") from error
    if signs and not signs.keys() & {path.stem for path in files(root)}:
        raise DataError(
            f"{listed} lists other pictures: it has {next(iter(signs))} and the like, and none is there; its "
            "signs would be taken for street; give the folder of the pictures that it lists"
        )
    return signs


def background(root: Path, *, size_hw: tuple[int, int], per_picture: int, seed: int) -> tuple[Tensor, Tensor]:
    """Cut crops that touch no sign.

    Args:
        root: the folder of pictures; signs listed in its ``gt.txt`` are left out.
        size_hw: the crops are resized to it.
        per_picture: crops from each picture.
        seed: makes the choice repeatable.

    Returns:
        Crops (N, 3, H, W) uint8 BGR, and for each the number of its picture (N,), to split by.

    Raises:
        DataError: no pictures, or a ``gt.txt`` that cannot be used.
    """
    paths = files(root) if root.is_dir() else []
    if not paths:
        raise DataError(f"{root} holds no pictures to cut background from")
    rng = np.random.default_rng(seed)
    signs = boxes(root)
    crops = np.empty((len(paths) * per_picture, *size_hw, 3), np.uint8)
    for number, path in enumerate(paths):
        frame = read_bgr(path)
        for k in range(per_picture):
            x, y, side = crop_position(path, frame.shape[:2], signs[path.stem], rng)
            crops[number * per_picture + k] = resize(frame[y : y + side, x : x + side], size_hw)
    numbers = torch.arange(len(paths)).repeat_interleave(per_picture)
    return torch.from_numpy(crops).permute(0, 3, 1, 2), numbers


def crop_position(
    path: Path, size_hw: tuple[int, int], signs: list[Box], rng: np.random.Generator
) -> tuple[int, int, int]:
    """Left, top and side, px, of a crop that touches no sign.

    Raises:
        DataError: the signs of the picture leave no room for one.
    """
    height, width = size_hw
    largest = min(SIDES[1], height, width)
    smallest = min(SIDES[0], largest)
    for _ in range(ATTEMPTS):
        side = round(float(np.exp(rng.uniform(np.log(smallest), np.log(largest)))))
        x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
        if not any(x < x2 and x1 < x + side and y < y2 and y1 < y + side for x1, y1, x2, y2 in signs):
            return x, y, side
    raise DataError(f"{path}: the signs that gt.txt lists leave no room for background; take the picture out")
