"""Signs of GTSRB, cut out and pasted into crops of streets, because detection data sets have few signs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.datasets import gtsrb
from training.datasets.images import DataError, require_folder
from training.datasets.pictures import read_bgr
from training.detection.targets import Boxes

EVERY = 6  # of the thirty pictures of a track, which hardly differ, one in so many is used
BORDER = 5  # px around the sign at least
LARGEST_FACTOR = 2.2  # by which a sign is enlarged
PLACES = 6  # to try for each sign
LEAST_AREA = 20  # px; of a sign that is smaller nothing is left

# Outlines of the faces in shares of their width and height; all others are round.
OUTLINES = {
    "triangle": ((0.5, 0.02), (0.99, 0.93), (0.93, 0.98), (0.07, 0.98), (0.01, 0.93)),
    "give way": ((0.5, 0.98), (0.01, 0.07), (0.07, 0.02), (0.93, 0.02), (0.99, 0.07)),
    "diamond": ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)),
    "octagon": (
        *((0.29, 0.0), (0.71, 0.0), (1.0, 0.29), (1.0, 0.71)),
        *((0.71, 1.0), (0.29, 1.0), (0.0, 0.71), (0.0, 0.29)),
    ),
}
SHAPES = {12: "diamond", 13: "give way", 14: "octagon"} | dict.fromkeys((11, *range(18, 32)), "triangle")


@dataclass(frozen=True, eq=False)
class CutOut:
    """A picture of one sign.

    Attributes:
        picture: (H, W, 3) uint8 BGR, the sign with its border.
        mask: (H, W) uint8, 255 on the sign's face.
        size: of the face, px.
    """

    picture: Frame
    mask: NDArray[np.uint8]
    size: int


def read(root: Path) -> list[CutOut]:
    """Cut out signs of GTSRB, a few of each track.

    Raises:
        DataError: the folder is missing, or is not GTSRB.
    """
    require_folder(root)
    if not gtsrb.is_gtsrb(root):
        raise DataError(
            f"{root} is not GTSRB, whose signs are pasted because their outlines are known; give its folder, "
            "or leave out --data.signs"
        )
    images = gtsrb.read(root).images
    return [cut_out(read_bgr(image.path), image.class_id) for image in images[EVERY - 1 :: EVERY]]


def cut_out(picture: Frame, class_id: int) -> CutOut:
    """The face of a sign in a picture of GTSRB, which has a border of a tenth, and of BORDER at least."""
    height, width = picture.shape[:2]
    (x, w), (y, h) = ((_border(size), size - 2 * _border(size)) for size in (width, height))
    mask = np.zeros((height, width), np.uint8)
    if class_id in SHAPES:
        outline = np.array(OUTLINES[SHAPES[class_id]]) * (w, h) + (x, y)
        cv2.fillPoly(mask, [outline.round().astype(np.int32)], 255, cv2.LINE_AA)
    else:
        center, radii = (round(x + w / 2), round(y + h / 2)), (max(1, w // 2), max(1, h // 2))
        cv2.ellipse(mask, center, radii, 0, 0, 360, 255, -1, cv2.LINE_AA)
    return CutOut(picture, mask, max(w, 1))


def _border(size: int) -> int:
    return min(max(BORDER, round((size - size / 1.2) / 2)), (size - 1) // 2)


def paste(
    crop: Frame,
    boxes: Boxes,
    signs: list[CutOut],
    rng: np.random.Generator,
    *,
    size_px: tuple[float, float],
    most: int = 3,
) -> Boxes:
    """Paste one to ``most`` signs where they hide no other.

    Args:
        crop: (S, S, 3) uint8 BGR; is changed.
        boxes: (M, 4) xyxy px of the signs in it.
        signs: to choose from.
        rng: draws which, where and how large.
        size_px: the smallest and the largest face; a small picture becomes no larger than LARGEST_FACTOR.
        most: signs.

    Returns:
        The boxes of all signs, old and new.
    """
    found = list(boxes)
    for _ in range(int(rng.integers(1, most + 1))):
        sign = signs[int(rng.integers(len(signs)))]
        wanted = math.exp(rng.uniform(math.log(size_px[0]), math.log(size_px[1])))
        picture, mask = warped(sign, min(wanted / sign.size, LARGEST_FACTOR), rng)
        rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
        if max(mask.shape) >= len(crop) - 4 or np.count_nonzero(mask > 127) < LEAST_AREA:
            continue
        face = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
        place = free_place(crop, mask, face, found, rng)
        if place is None:
            continue
        box = face + np.tile(place, 2)
        lay_over(crop, picture, mask, place, rng)
        if rng.random() < 0.3:
            draw_post(crop, box, wanted, rng)
        found.append(box.astype(np.float32))
    return np.array(found, np.float32).reshape(-1, 4)


def warped(sign: CutOut, factor: float, rng: np.random.Generator) -> tuple[Frame, NDArray[np.uint8]]:
    """Picture and mask of a sign, scaled by a factor, half of them turned, most with a soft edge."""
    height, width = sign.mask.shape
    angle = rng.uniform(-8, 8) if rng.random() < 0.5 else 0.0
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    across = factor * math.exp(rng.uniform(-0.1, 0.1))
    size = (max(8, int(width * across)), max(8, int(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    picture = cv2.warpAffine(sign.picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(sign.mask, turn, (width, height))
    picture, mask = cv2.resize(picture, size, interpolation=how), cv2.resize(mask, size, interpolation=how)
    if rng.random() < 0.6:
        mask = cv2.GaussianBlur(mask, (3, 3), 0)
    return np.asarray(picture, np.uint8), np.asarray(mask, np.uint8)


def free_place(
    crop: Frame,
    mask: NDArray[np.uint8],
    face: NDArray[np.int64],
    boxes: list[NDArray[np.float32]],
    rng: np.random.Generator,
) -> NDArray[np.int64] | None:
    """Left and top for a sign, sometimes on the post of another; None if there is no room."""
    room = np.array([crop.shape[1] - mask.shape[1], crop.shape[0] - mask.shape[0]])
    for _ in range(PLACES):
        if boxes and rng.random() < 0.3:
            x1, y1, x2, y2 = boxes[int(rng.integers(len(boxes)))]
            gap = rng.uniform(0, 6)
            y = y2 + gap - face[1] if rng.random() < 0.6 else y1 - gap - face[3]
            place = np.array([int((x1 + x2 - mask.shape[1]) / 2), int(y)])
        else:
            place = np.array([int(rng.uniform(0, room[0])), int(rng.uniform(0, room[1]))])
        if (place < 0).any() or (place > room).any():
            continue
        low, high = place + face[:2], place + face[2:]
        if not any((low < box[2:]).all() and (high > box[:2]).all() for box in boxes):
            return place
    return None


def lay_over(
    crop: Frame,
    picture: Frame,
    mask: NDArray[np.uint8],
    place: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Blend a sign into a crop, most of them in the light of that place."""
    x, y = place
    ground = crop[y : y + mask.shape[0], x : x + mask.shape[1]]
    own = picture.astype(np.float32)
    if rng.random() < 0.7:
        light = (ground.mean() + 20) / (own[mask > 127].mean() + 1)
        own *= float(np.clip(light ** rng.uniform(0, 1), 0.4, 2.2))
    own *= rng.uniform(0.85, 1.15)
    share = mask[..., None].astype(np.float32) / 255.0
    ground[:] = np.clip(ground * (1 - share) + own * share, 0, 255)


def draw_post(crop: Frame, box: NDArray[np.int64], size: float, rng: np.random.Generator) -> None:
    """Draw a post below a sign."""
    half = max(1, int(size * rng.uniform(0.04, 0.1))) // 2
    middle, top = int(box[0] + box[2]) // 2, int(box[3])
    bottom = min(len(crop), top + int(size * rng.uniform(0.5, 4)))
    crop[top:bottom, max(0, middle - half) : middle + half + 1] = int(rng.uniform(40, 190))
