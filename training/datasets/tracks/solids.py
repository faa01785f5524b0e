"""Things on a track as a camera sees them: their sides, their shadows, and the car's own front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks.camera import SHIFT, Camera, Plane, fixed
from training.datasets.tracks.classes import ELSEWHERE, OBJECT
from training.datasets.tracks.light import Picture
from training.datasets.tracks.lines import Points
from training.datasets.tracks.things import Face, Thing

OBJECT_WITHIN_M = 2.2  # farther things are elsewhere


def paint(
    image: Picture,
    ids: NDArray[np.uint8] | None,
    things: Sequence[Thing],
    camera: Camera,
    *,
    mirror: bool,
) -> None:
    """Fill the sides of all things, in their order; ``mirror`` draws them upside down below the floor."""
    faces: list[Face] = []
    labels: list[int] = []
    for thing in things:
        faces += thing.faces
        labels += [OBJECT if thing.away_m < OBJECT_WITHIN_M else ELSEWHERE] * len(thing.faces)
    if not any(len(face.corners) == 4 for face in faces):
        return
    turned = (1.0, 1.0, -1.0 if mirror else 1.0)
    outlines = [corners * turned for corners in _bent(faces)]
    for face, label, (points, in_front) in zip(faces, labels, _projected(outlines, camera)):
        if in_front.sum() < 3:
            continue
        outline = [points[in_front]]
        cv2.fillPoly(image, outline, face.color, cv2.LINE_8, SHIFT)
        if ids is not None:
            cv2.fillPoly(ids, outline, label, cv2.LINE_8, SHIFT)


def shadows(things: Sequence[Thing], camera: Camera, rng: np.random.Generator) -> Plane:
    """(H, W) factors: dark floor around the feet of things, and long shadows if there is one lamp."""
    towards = rng.normal(0, 0.6, 2) if rng.random() < 0.5 else rng.normal(0, 0.12, 2)
    outlines = []
    for thing in things:
        corners = np.concatenate([face.corners for face in thing.faces])
        cast = np.concatenate([corners[:, :2] + corners[:, 2:] * towards, corners[corners[:, 2] < 0.02, :2]])
        hull = cv2.convexHull(cast.astype(np.float32))[:, 0].astype(np.float64)
        outlines.append(np.concatenate([hull, np.zeros((len(hull), 1))], axis=1))
    height, width = camera.size_hw
    layer = np.zeros((height // 2, width // 2), np.uint8)
    for points, in_front in _projected(outlines, camera):
        if in_front.all():
            cv2.fillPoly(layer, [points // 2], 255, cv2.LINE_8, SHIFT)
    blur = int(rng.integers(1, 8)) * 2 + 1
    soft = cv2.resize(cv2.blur(layer, (blur, blur)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 - soft * np.float32(rng.uniform(0.15, 0.7) / 255), np.float32)


def bumper(image: Picture, ids: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """The car's own front at the lower border."""
    height, width = ids.shape
    middle, half = rng.uniform(0.3, 0.7) * width, rng.uniform(0.1, 0.5) * width
    top = height * (1 - rng.uniform(0.01, 0.1))
    turns = np.linspace(np.pi, 2 * np.pi, 16)
    points = np.stack([middle + half * np.cos(turns), height + (height - top) * np.sin(turns)], axis=1)
    color = tuple(float(c) for c in rng.uniform(5, 50, 3))
    is_bar = rng.random() < 0.5
    for layer, value in ((image, color), (ids, OBJECT)):
        if is_bar:
            thick = max(1, round(height * 0.012))
            cv2.polylines(layer, [fixed(points)], False, value, thick, cv2.LINE_8, SHIFT)
        else:
            cv2.fillPoly(layer, [fixed(points)], value, cv2.LINE_8, SHIFT)


def _projected(
    outlines: Sequence[Points], camera: Camera
) -> Iterable[tuple[NDArray[np.int32], NDArray[np.bool_]]]:
    """Where outlines are in the picture: all in one go, because that is ten times faster."""
    places, in_front = camera.project(np.concatenate(outlines))
    corners = fixed(places)
    ends = np.cumsum([len(outline) for outline in outlines])
    for start, end in zip((0, *ends[:-1]), ends):
        yield corners[start:end], in_front[start:end]


def _bent(faces: Sequence[Face]) -> list[Points]:
    """Outlines with points between their four corners, because a wide lens bends edges."""
    is_square = [len(face.corners) == 4 for face in faces]
    squares = np.stack([face.corners for face, square in zip(faces, is_square) if square])
    after = squares[:, [1, 2, 3, 0]]
    shares = np.linspace(0, 1, 5, endpoint=False)[:, None]
    between = (squares[:, :, None] + (after - squares)[:, :, None] * shares).reshape(len(squares), -1, 3)
    bent = iter(between)
    return [next(bent) if square else face.corners for face, square in zip(faces, is_square)]
