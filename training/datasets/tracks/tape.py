"""Lines of a track as a camera sees them, and their mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks import floors, light
from training.datasets.tracks.camera import SHIFT, Camera, fixed
from training.datasets.tracks.classes import FLOOR, LINE, TIMES, UNSURE
from training.datasets.tracks.light import Picture
from training.datasets.tracks.lines import Stroke
from training.datasets.tracks.surfaces import Ground

SURE_PX, SEEN_PX = 0.3, 0.12  # width of a line that people would mark, and of one that they might see


def paint(
    image: Picture,
    ids: NDArray[np.uint8],
    strokes: Sequence[Stroke],
    ground: Ground,
    rng: np.random.Generator,
) -> Picture:
    """The picture with lines on the floor, which are marked in ``ids``."""
    if not strokes:
        return image
    layers = _Layers(np.zeros(ids.shape, np.uint8), np.zeros(ids.shape, np.uint8), np.zeros_like(image))
    for stroke in strokes:
        _paint_stroke(stroke, ground.camera, layers)
    below = ids == FLOOR
    share = layers.cover * np.float32(1 / 255)
    if rng.random() < 0.5:  # worn here and there
        texture = _wear(int(rng.integers(8)))
        turns = np.float32(1 / rng.uniform(0.5, 3.0))
        u, v = (256 * (place * turns - np.floor(place * turns)) for place in (ground.x, ground.y))
        worn = cv2.remap(texture, u, v, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
        share *= 1 - np.float32(rng.uniform(0.2, 0.7)) * worn
    share *= below
    tape = light.times(layers.color, ground.shade * light.unevenness(ids.shape, rng, strength=0.05))
    ids[below & (layers.marks == LINE)] = LINE
    ids[below & (layers.marks == UNSURE)] = UNSURE
    return np.asarray(cv2.blendLinear(image, tape, 1 - share, share), np.float32)


@dataclass(frozen=True)
class _Layers:
    """What lines do to each pixel: how much they cover (0…255), what the mask says, and their colour."""

    cover: NDArray[np.uint8]
    marks: NDArray[np.uint8]
    color: Picture


_worn: dict[int, NDArray[np.float32]] = {}


def _wear(variant: int) -> NDArray[np.float32]:
    """(256, 256) 0…1, where paint has gone."""
    if variant not in _worn:
        rng = np.random.default_rng([3, variant])
        hills = floors.noise(rng, 8, 256) + floors.noise(rng, 32, 256) + 0.5 * floors.noise(rng, 128, 256)
        _worn[variant] = np.clip(hills * 0.7 - rng.uniform(-0.2, 0.5), 0, 1).astype(np.float32)
    return _worn[variant]


def _paint_stroke(stroke: Stroke, camera: Camera, layers: _Layers) -> None:
    """One line into all layers."""
    count = len(stroke.left)
    flat = np.concatenate([stroke.left, stroke.right])
    places, in_front = camera.project(np.concatenate([flat, np.zeros((2 * count, 1))], axis=1))
    left, right = places[:count], places[count:]
    middle, half = (left + right) / 2, (right - left) / 2
    reach = np.maximum(np.hypot(half[:, 0], half[:, 1]), 1e-6)
    # OpenCV fills the pixels on the edge, too, which makes everything wider by one of these fine pixels.
    inner = half * np.clip(1 - 0.5 / reach, 0, 1)[:, None]
    marked = np.maximum(reach, TIMES * 0.5)  # a mark is at least one pixel of the picture wide
    wide = half * ((marked - 0.5) / reach)[:, None]
    thin = np.clip(2 * reach, 0.05, 1.0)  # thinner than a fine pixel, it covers only a part of it
    width_px = 2 * reach / TIMES
    bands = np.where(width_px[:-1] >= SURE_PX, 2, np.where(width_px[:-1] >= SEEN_PX, 1, 0))
    size_wh, margin = layers.cover.shape[::-1], 40
    drawn_ = in_front[:count] & in_front[count:]
    far = np.abs(middle - np.array(size_wh) / 2) - np.array(size_wh) / 2  # px from the border, outside it
    inside = far.max(axis=1) < margin
    kept = stroke.kept & drawn_[:-1] & drawn_[1:] & (inside[:-1] | inside[1:])
    covers, marks = (
        np.concatenate([fixed(middle - off), fixed(middle + off)[::-1]]) for off in (inner, wide)
    )
    for start, end in _runs(kept, bands):
        around = np.r_[start : end + 1, 2 * count - 1 - end : 2 * count - start]
        opacity = round(255 * stroke.opacity * float(thin[start:end].mean()))
        cv2.fillPoly(layers.cover, [covers[around]], opacity, cv2.LINE_8, SHIFT)
        cv2.fillPoly(layers.color, [marks[around]], stroke.color, cv2.LINE_8, SHIFT)
        if bands[start]:
            mark = LINE if bands[start] == 2 else UNSURE
            cv2.fillPoly(layers.marks, [marks[around]], mark, cv2.LINE_8, SHIFT)


def _runs(kept: NDArray[np.bool_], bands: NDArray[np.int64], longest: int = 8) -> Iterable[tuple[int, int]]:
    """Start and end of stretches that are kept, of one band, and short enough not to cross themselves."""
    start = -1
    for index in range(len(kept)):
        if start >= 0 and (not kept[index] or bands[index] != bands[start] or index - start >= longest):
            yield start, index
            start = -1
        if start < 0 and kept[index]:
            start = index
    if start >= 0:
        yield start, len(kept)
