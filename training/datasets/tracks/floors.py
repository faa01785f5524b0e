"""Floors: one square of each material, which repeats, and the colours that it comes in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.images import DataError, files
from training.datasets.pictures import read_bgr

Texture = NDArray[np.uint8]
SIDE = 384  # px of a square
VARIANTS = 8  # squares of each material

# How often, and m of a square's side.
MATERIALS = {
    "concrete": (3.0, 2.4),
    "carpet": (3.0, 0.8),
    "parquet": (1.5, 1.6),
    "mat": (1.0, 1.2),
    "asphalt": (1.5, 1.0),
    "sheet": (1.5, 2.0),
    "hall": (2.0, 3.0),
    "tiles": (1.0, 1.2),
    "town": (1.5, 3.2),
}
# BGR that a floor may have.
COLORS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "concrete": ((150, 155, 160), (120, 125, 130), (105, 125, 140), (175, 185, 190), (85, 90, 95)),
    "carpet": (
        *((40, 38, 38), (60, 58, 60), (30, 32, 40), (90, 90, 95), (95, 70, 45), (120, 145, 165)),
        *((45, 45, 110), (60, 80, 60), (28, 26, 26), (130, 130, 130)),
    ),
    "parquet": ((85, 130, 180), (60, 95, 140), (120, 165, 205), (45, 65, 95)),
    "mat": ((45, 45, 45), (140, 90, 40), (60, 130, 60), (70, 70, 190), (150, 150, 150), (60, 170, 190)),
    "asphalt": ((80, 80, 80), (110, 110, 112), (60, 58, 58), (140, 142, 145)),
    "sheet": ((50, 45, 40), (150, 100, 45), (200, 205, 205), (70, 110, 60), (120, 120, 125), (35, 35, 35)),
    "hall": ((215, 218, 220), (190, 200, 205), (235, 235, 235), (165, 170, 170), (170, 190, 205)),
    "tiles": ((170, 180, 190), (120, 140, 165), (205, 210, 215), (90, 90, 95)),
    "town": ((120, 120, 120), (90, 90, 90), (135, 140, 140)),
}
GLOSSY = {
    "hall": 0.6,
    "sheet": 0.6,
    "parquet": 0.45,
    "tiles": 0.5,
    "concrete": 0.35,
    "town": 0.25,
    "mat": 0.1,
}


@dataclass(frozen=True)
class Floor:
    """What a floor is made of.

    Attributes:
        fine: (S, S, 3) uint8 BGR, a square that repeats.
        coarse: the same at an eighth of its size, for the distance.
        square_m: side of the square.
        gain: (3,) and ``shift`` (3,): colour = texture · gain + shift.
        gloss: how well it mirrors, 0…1.
    """

    fine: Texture
    coarse: Texture
    square_m: float
    gain: NDArray[np.float32]
    shift: NDArray[np.float32]
    gloss: float

    @property
    def color(self) -> NDArray[np.float32]:
        """(3,) the mean."""
        mean: NDArray[np.float32] = self.coarse.mean((0, 1)).astype(np.float32) * self.gain + self.shift
        return mean


def drawn(rng: np.random.Generator, pictures: tuple[Path, ...] = ()) -> Floor:
    """Any floor.

    Args:
        rng: decides.
        pictures: half of the floors show one of these, if there are any.
    """
    if pictures and rng.random() < 0.5:
        fine, coarse = _of_picture(pictures[int(rng.integers(len(pictures)))])
        gain = np.exp(rng.normal(0, 0.15, 3) + rng.normal(0, 0.25)).astype(np.float32)
        gloss = float(rng.uniform(0, 0.5))
        return Floor(fine, coarse, rng.uniform(0.5, 4.0), gain, np.zeros(3, np.float32), gloss)
    weights = np.array([weight for weight, _ in MATERIALS.values()])
    kind = tuple(MATERIALS)[int(rng.choice(len(weights), p=weights / weights.sum()))]
    fine, coarse = _square(kind, int(rng.integers(VARIANTS)))
    options = COLORS[kind]
    color = np.array(options[int(rng.integers(len(options)))]) * np.exp(rng.normal(0, 0.12, 3))
    color = color * np.exp(rng.normal(0, 0.15))
    contrast = float(np.exp(rng.normal(0, 0.35)))
    if kind in ("parquet", "town"):
        contrast = min(contrast, 1.2)
    gloss = GLOSSY.get(kind, 0.0) * float(rng.uniform(0, 1.4))
    return Floor(
        fine,
        coarse,
        MATERIALS[kind][1] * float(np.exp(rng.normal(0, 0.2))),
        (color * contrast / 128).astype(np.float32),
        (color * (1 - contrast)).astype(np.float32),
        min(gloss, 0.9),
    )


def grass(rng: np.random.Generator) -> Floor:
    """What is around a track outdoors: grass, gravel or soil."""
    fine, coarse = _square("carpet", int(rng.integers(VARIANTS)))
    options = ((50, 110, 70), (60, 130, 100), (90, 120, 130), (60, 85, 110), (120, 140, 150))
    color = np.array(options[int(rng.integers(len(options)))]) * np.exp(rng.normal(0, 0.15, 3))
    contrast = rng.uniform(1.0, 2.2)
    gain, shift = (color * contrast / 128).astype(np.float32), (color * (1 - contrast)).astype(np.float32)
    return Floor(fine, coarse, rng.uniform(0.6, 2.0), gain, shift, 0.0)


def pictures_of(folder: str | None) -> tuple[Path, ...]:
    """The pictures in a folder of textures; none without a folder.

    Raises:
        DataError: there are none.
    """
    if not folder:
        return ()
    found = tuple(files(Path(folder))) if Path(folder).is_dir() else ()
    if not found:
        raise DataError(f"there are no pictures of floors in {folder}; check the path, or leave it out")
    return found


@lru_cache(maxsize=256)
def _of_picture(path: Path) -> tuple[Texture, Texture]:
    """A square of a picture that repeats without a seam: it is mirrored both ways."""
    image = read_bgr(path)
    side = min(image.shape[:2])
    quarter = cv2.resize(image[:side, :side], (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    upper = np.hstack([quarter, quarter[:, ::-1]])
    return _with_coarse(np.vstack([upper, upper[::-1]]))


def _with_coarse(fine: NDArray[np.generic]) -> tuple[Texture, Texture]:
    square = np.ascontiguousarray(np.clip(fine, 0, 255), np.uint8)
    return square, np.asarray(
        cv2.resize(square, (SIDE // 8, SIDE // 8), interpolation=cv2.INTER_AREA), np.uint8
    )


def noise(rng: np.random.Generator, cells: int, side: int = SIDE) -> NDArray[np.float32]:
    """(side, side) smooth noise about -2…2 that repeats without a seam; ``cells`` hills across."""
    coarse = np.pad(rng.normal(0, 1, (cells, cells)).astype(np.float32), 2, mode="wrap")
    scale = side / cells
    size = round(scale * (cells + 4))
    inner = round(2 * scale)
    large = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[inner : inner + side, inner : inner + side], np.float32)


def _clouds(rng: np.random.Generator, *cells: int) -> NDArray[np.float32]:
    """Several of them, the coarser the stronger."""
    layers = [noise(rng, count) / (1 + 0.35 * index) for index, count in enumerate(cells)]
    return np.asarray(sum(layers), np.float32)


@lru_cache(maxsize=len(MATERIALS) * VARIANTS)
def _square(kind: str, variant: int) -> tuple[Texture, Texture]:
    """A square of a material, grey about 128 or with colours of its own."""
    rng = np.random.default_rng([sorted(MATERIALS).index(kind), variant])
    gray: NDArray[np.floating]
    if kind == "parquet":
        gray = _planks(rng)
    elif kind == "town":
        return _with_coarse(_town(rng))
    elif kind in ("mat", "tiles"):
        gray = _grid(rng, strong=kind == "tiles")
    elif kind == "sheet":
        folds = np.abs(_clouds(rng, 5, 9)) * -1.0
        gray = 128 + 10 * np.exp(folds * 4) * rng.uniform(0.5, 3) + 4 * _clouds(rng, 4, 8)
    elif kind == "carpet":
        points = noise(rng, SIDE) + 0.8 * noise(rng, SIDE // 2)
        gray = 128 + rng.uniform(14, 34) * points + 6 * _clouds(rng, 3, 12)
    elif kind == "asphalt":
        gray = 128 + rng.uniform(8, 22) * noise(rng, SIDE // 2) + 7 * _clouds(rng, 4, 16)
    elif kind == "hall":
        gray = 128 + rng.uniform(1, 4) * _clouds(rng, 3, 20) + 1.5 * noise(rng, SIDE // 2)
    else:
        gray = 128 + rng.uniform(4, 11) * _clouds(rng, 3, 7, 20, 60) + 3 * noise(rng, SIDE // 2)
        _cracks(gray, rng)
    tint = rng.normal(0, 1.5, 3)
    colored = gray[..., None] + tint * noise(rng, 6)[..., None]
    return _with_coarse(colored)


def _cracks(gray: NDArray[np.floating], rng: np.random.Generator) -> None:
    """Joints, cracks and skid marks, which are no lines."""
    if rng.random() < 0.5:
        at = int(rng.integers(SIDE))
        gray[at : at + 1 + int(rng.integers(2))] *= 0.75
        gray[:, at : at + 1 + int(rng.integers(2))] *= 0.75
    layer = np.zeros((SIDE, SIDE), np.uint8)
    for _ in range(int(rng.integers(0, 5))):
        steps = rng.normal(0, 5, (40, 2)) + rng.normal(0, 6, 2)
        points = (np.cumsum(steps, 0) + rng.uniform(0, SIDE, 2)).astype(np.int32)
        cv2.polylines(layer, [points], False, int(rng.integers(60, 200)), 1, cv2.LINE_AA)
    gray *= 1 - 0.35 * (layer / 255.0)


def _planks(rng: np.random.Generator) -> NDArray[np.float32]:
    """Rows of boards, each in a tone of its own."""
    gray = np.zeros((SIDE, SIDE), np.float32)
    row = int(rng.choice([16, 24, 32, 48]))
    length = int(rng.choice([96, 128, 192]))
    for y in range(0, SIDE, row):
        start = int(rng.integers(length))
        for x in range(0, SIDE, length):
            columns = (np.arange(x, x + length) + start) % SIDE
            gray[y : y + row, columns] = 128 + rng.normal(0, 11)
            gray[y : y + row, columns[0]] -= 22
        gray[y] -= rng.uniform(10, 35)
    grain = cv2.resize(noise(rng, 96)[:, :96], (SIDE, SIDE))
    return np.asarray(gray + 4 * grain + 3 * _clouds(rng, 3, 9), np.float32)


def _grid(rng: np.random.Generator, *, strong: bool) -> NDArray[np.float32]:
    """Squares with seams between them."""
    cells = int(rng.choice([2, 3, 4])) if strong else int(rng.choice([1, 2]))
    step = SIDE // cells
    gray = 128 + 3 * _clouds(rng, 4, 16) + (3 if strong else 6) * noise(rng, SIDE // 3)
    gap = rng.uniform(-45, 40)
    for at in range(0, SIDE, step):
        for other in range(0, SIDE, step):
            gray[at : at + step, other : other + step] += rng.normal(0, 4)
    for at in range(0, SIDE, step):
        gray[at : at + 2] += gap
        gray[:, at : at + 2] += gap
    return np.asarray(gray, np.float32)


def _town(rng: np.random.Generator) -> NDArray[np.float32]:
    """A printed mat: streets between patches of grass, pavement and roofs."""
    image = np.full((SIDE, SIDE, 3), 128, np.float32)
    greens = ((70, 150, 90), (60, 120, 60), (150, 165, 170), (110, 140, 190), (190, 190, 190), (180, 150, 90))
    for _ in range(int(rng.integers(2, 7))):
        color = np.array(greens[int(rng.integers(len(greens)))]) * rng.uniform(0.8, 1.2)
        x, y = rng.integers(0, SIDE, 2)
        w, h = rng.integers(40, 190, 2)
        x2, y2 = min(x + w, SIDE), min(y + h, SIDE)
        cv2.rectangle(image, (int(x), int(y)), (int(x2), int(y2)), tuple(float(c) for c in color), -1)
        if rng.random() < 0.5:
            inner = tuple(float(c) for c in rng.uniform(40, 220, 3))
            middle = (int(x + w // 2), int(y + h // 2))
            cv2.circle(image, middle, int(rng.integers(6, 30)), inner, -1, cv2.LINE_AA)
    return np.asarray(image + 3 * noise(rng, SIDE // 3)[..., None], np.float32)
