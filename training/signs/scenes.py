"""What is behind a printed sign: rooms and floors that are drawn, or pictures that are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.datasets.images import DataError, files
from training.datasets.pictures import read_bgr

SIZE_HW = (240, 320)
OCTAVES = ((3, 1.0), (9, 0.6), (30, 0.35), (120, 0.2))  # hills across, and how high they are

Plane = NDArray[np.float32]


def read_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder.

    Raises:
        DataError: there are fewer than two, one to learn from and one to validate on.
    """
    paths = files(folder) if folder.is_dir() else []
    if len(paths) < 2:
        raise DataError(
            f"{folder} has {'one picture' if paths else 'no pictures'} of background; give a folder with two "
            "at least, better a hundred, or leave --backgrounds out"
        )
    return paths


def scene(rng: np.random.Generator, paths: Sequence[Path] = ()) -> Frame:
    """A scene without signs, SIZE_HW, uint8 BGR.

    Args:
        rng: decides what it looks like.
        paths: pictures to take a part of one from; without them, a scene is drawn.
    """
    if paths:
        return _part_of(read_bgr(paths[int(rng.integers(len(paths)))]), rng)
    drawn = room(rng) if rng.random() < 0.75 else texture(rng)
    return np.asarray(np.clip(np.rint(drawn), 0, 255), np.uint8)


def room(rng: np.random.Generator) -> Plane:
    """Walls, a floor with tiles or planks, tape on it, windows, furniture and things that lie about."""
    height, width = SIZE_HW
    horizon = int(rng.uniform(0.2, 0.75) * height)
    picture = np.empty((*SIZE_HW, 3), np.uint8)
    picture[:horizon], picture[horizon:] = _paint(rng), _paint(rng)
    _lines_of_floor(picture, horizon, rng)
    for _ in range(int(rng.integers(2, 9))):
        _box(picture, horizon, rng)
    if rng.random() < 0.4:
        x, y = rng.integers(0, width - 40), rng.integers(0, max(1, horizon - 20))
        size = rng.integers(20, 110, 2)
        picture[y : y + size[1], x : x + size[0]] = rng.uniform(200, 255)
    for _ in range(int(rng.integers(0, 5))):
        _clutter(picture, rng)
    soft = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.4, 2.0))
    light = 1 + rng.uniform(0, 0.3) * hills(rng)
    return np.asarray(soft * light[..., None] + rng.uniform(0, 9) * hills(rng)[..., None], np.float32)


def texture(rng: np.random.Generator) -> Plane:
    """Leaves, grass, carpet, rock, sky: hills of two colours."""
    share = 1 / (1 + np.exp(-rng.uniform(0.7, 3.0) * hills(rng)))[..., None]
    return np.asarray(_paint(rng) * share + _paint(rng) * (1 - share), np.float32)


def hills(rng: np.random.Generator) -> Plane:
    """(H, W) about -2…2, rough and smooth as chance has it."""
    height, width = SIZE_HW
    total = np.zeros(SIZE_HW, np.float32)
    for cells, high in OCTAVES:
        coarse = rng.normal(0, high * rng.uniform(0, 1), (cells, round(cells * width / height)))
        total += cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return total


def _paint(rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour of walls, floors and things: mostly dull."""
    grey = rng.uniform(15, 245)
    return np.clip(grey + rng.normal(0, 12 if rng.random() < 0.6 else 60, 3), 0, 255)


def _lines_of_floor(picture: Frame, horizon: int, rng: np.random.Generator) -> None:
    """Joints and tape that run to the vanishing point, and joints across."""
    height, width = SIZE_HW
    color, vanishing = _paint(rng), (int(rng.uniform(-0.5, 1.5) * width), horizon)
    if rng.random() < 0.6:
        for x in range(-2 * width, 3 * width, int(rng.integers(12, 90))):
            cv2.line(picture, (x, height), vanishing, color.tolist(), 1, cv2.LINE_AA)
        if rng.random() < 0.6:
            for k in range(1, 12):
                y = horizon + round((height - horizon) / k)
                cv2.line(picture, (0, y), (width, y), color.tolist(), 1)
    for _ in range(int(rng.integers(0, 4))):
        x, broad = int(rng.uniform(-0.5, 1.5) * width), int(rng.integers(4, 26))
        corners = np.array([(x, height), (x + broad, height), vanishing], np.int32)
        cv2.fillConvexPoly(picture, corners, _paint(rng).tolist(), cv2.LINE_AA)


def _box(picture: Frame, horizon: int, rng: np.random.Generator) -> None:
    """A cupboard, a leg of a table, a box: an upright thing that begins about the horizon."""
    width = SIZE_HW[1]
    x, broad = int(rng.integers(-30, width)), int(rng.integers(3, 110))
    bottom, high = horizon + int(rng.integers(-10, 60)), int(rng.integers(15, 140))
    color = _paint(rng)
    cv2.rectangle(picture, (x, bottom - high), (x + broad, bottom), color.tolist(), -1)
    side = [(x + broad, bottom - high), (x + broad + broad // 4, bottom - high + 6)]
    corners = np.array([*side, (side[1][0], bottom - 5), (x + broad, bottom)], np.int32)
    cv2.fillConvexPoly(picture, corners, (0.7 * color).tolist(), cv2.LINE_AA)


def _clutter(picture: Frame, rng: np.random.Generator) -> None:
    """Something that is no sign: a disc, a patch, a white sheet, a word, a lamp."""
    height, width = SIZE_HW
    centre = (int(rng.integers(width)), int(rng.integers(height)))
    size, color = int(rng.integers(4, 45)), rng.uniform(0, 255, 3).tolist()
    kind = int(rng.integers(7))
    if kind == 0:
        cv2.ellipse(picture, centre, (size, int(rng.integers(3, 45))), 0, 0, 360, color, -1, cv2.LINE_AA)
    elif kind == 1:
        corners = cv2.boxPoints((centre, (size, int(rng.integers(4, 60))), rng.uniform(0, 180)))
        cv2.fillConvexPoly(picture, corners.astype(np.int32), color, cv2.LINE_AA)
    elif kind == 2:
        corners = cv2.boxPoints((centre, (size, 1.4 * size), rng.normal(0, 15)))
        cv2.fillConvexPoly(picture, corners.astype(np.int32), (235, 240, 240), cv2.LINE_AA)
    elif kind in (3, 4):
        _badge(picture, centre, size, rng)
    elif kind == 5:
        word = "".join(chr(c) for c in rng.integers(65, 91, 4))
        cv2.putText(picture, word, centre, cv2.FONT_HERSHEY_SIMPLEX, size / 25, color, 2, cv2.LINE_AA)
    else:
        cv2.circle(picture, centre, size // 3 + 2, (250, 252, 255), -1, cv2.LINE_AA)


def _badge(picture: Frame, centre: tuple[int, int], size: int, rng: np.random.Generator) -> None:
    """A disc, a triangle or a square with a rim and scribble: a lid, a logo, a poster, and no sign."""
    corners = (40, 3, 4, 6, 8)[int(rng.integers(5))]
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners
    edge = np.column_stack([np.cos(angles), np.sin(angles)])
    for share in (1.0, rng.uniform(0.4, 0.95)):
        points = np.rint(centre + share * size * edge).astype(np.int32)
        cv2.fillConvexPoly(picture, points, rng.uniform(0, 255, 3).tolist(), cv2.LINE_AA)
    scribble = centre + rng.normal(0, 0.25 * size, (int(rng.integers(2, 9)), 2))
    color = rng.uniform(0, 255, 3).tolist()
    cv2.polylines(picture, [scribble.astype(np.int32)], bool(rng.integers(2)), color, max(1, size // 9))


def _part_of(picture: Frame, rng: np.random.Generator) -> Frame:
    """A part of a picture, at least a third of it, mirrored or not."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.34, 1.0)
    part_h, part_w = max(1, round(share * height)), max(1, round(share * width))
    y, x = int(rng.integers(height - part_h + 1)), int(rng.integers(width - part_w + 1))
    part = picture[y : y + part_h, x : x + part_w]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return np.asarray(cv2.resize(part, SIZE_HW[::-1], interpolation=cv2.INTER_AREA), np.uint8)
