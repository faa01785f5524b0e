"""Artwork as a printed sign before a scene: ink and paper, pose, light, gloss, and what a box cuts out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.frames import Frame
from training.signs.artwork import Artwork

MARGIN = 0.1  # how far crops reach around the sign on each side, as a share of its size
LEVELS = 3  # of the print, each half as large, so that far signs are averaged and not sampled
SMALLEST_RASTER, LARGEST_RASTER = 64, 176  # px, the longer side of what is drawn before the camera shrinks it

Points = NDArray[np.float64]
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Print:
    """One sign as it came out of a printer, cut out or on its card.

    Attributes:
        levels: (H, W, 4) float32 BGR and cover in 0…1, premultiplied, each level half as large as the one
            before.
        outline: (P, 2) xy around the sign, in px of the first level, from its middle.
        gloss: 0…1, how much of a lamp the paper reflects.
    """

    levels: tuple[Plane, ...]
    outline: Points
    gloss: float


@dataclass(frozen=True)
class Light:
    """What falls on print and scene alike, and what the camera makes of it.

    Attributes:
        gains: (3,) of the channels: lamp and white balance, the pink of some sensors among them.
        behind: how much more light falls on the scene than on the sign; a sign before a window is dark.
        gamma: of the camera's curve.
        slope: (2,) how much brighter the sign is on one side than in its middle.
        shadow: (4,) x, y, angle and strength of a shadow's edge; strength 0 is none.
        lamp: (4,) x, y, size and strength of a reflection on glossy paper.
    """

    gains: NDArray[np.float64]
    behind: float
    gamma: float
    slope: NDArray[np.float64]
    shadow: NDArray[np.float64]
    lamp: NDArray[np.float64]


def print_out(artwork: Artwork, rng: np.random.Generator) -> Print:
    """Print a sign, on a card or cut out with a rim, with the colours that ink gives."""
    height, width = artwork.mask.shape
    on_card = not artwork.is_cut or rng.random() < 0.4
    margin = int(rng.uniform(0.03, 0.3) * max(height, width)) if on_card else int(rng.uniform(2, 14))
    size_hw = [height + 2 * margin, width + 2 * margin]
    if on_card and rng.random() < 0.6:
        size_hw = [max(size_hw)] * 2
    y, x = (size_hw[0] - height) // 2, (size_hw[1] - width) // 2
    sheet = np.full((*size_hw, 4), 1.0, np.float32)
    sheet[y : y + height, x : x + width, :3] = artwork.face / np.float32(255)
    sheet[..., :3] = _ink(sheet[..., :3], rng)
    shape = np.zeros(size_hw, np.uint8)
    shape[y : y + height, x : x + width] = artwork.mask
    if not on_card:
        rim = int(rng.integers(0, margin)) if rng.random() < 0.6 else 0
        cut = cv2.dilate(shape, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1)))
        sheet *= (cut / np.float32(255))[..., None]
    # A detector's box is around the sign, or around the card where nothing else has an outline.
    whole = on_card and rng.random() < (0.15 if artwork.is_cut else 0.8)
    outline = np.array([(0, 0), (size_hw[1], 0), size_hw[::-1], (0, size_hw[0])], np.float64)
    if not whole:
        outline = cv2.convexHull(cv2.findNonZero(shape))[:, 0].astype(np.float64)
    levels = [sheet]
    for _ in range(LEVELS - 1):
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    centre = np.array(size_hw[::-1]) / 2
    return Print(tuple(levels), outline - centre, float(rng.random() < 0.4) * rng.uniform(0.1, 0.7))


def light(rng: np.random.Generator) -> Light:
    """Light and camera of one scene."""
    gains = np.exp(rng.normal(0, 0.1, 3))
    if rng.random() < 0.3:  # more red and blue than green: sensors without a profile of their lens
        gains *= np.exp(rng.uniform(0, 0.3) * np.array([0.7, -0.7, 1.0]))
    exposure = np.exp(rng.uniform(np.log(0.25), np.log(1.5)))
    strength = rng.uniform(0.2, 0.65) if rng.random() < 0.25 else 0.0
    return Light(
        gains * exposure,
        float(np.exp(rng.uniform(-0.7, 1.5))) if rng.random() < 0.5 else 1.0,
        float(np.exp(rng.normal(0, 0.22))),
        rng.uniform(-0.3, 0.3, 2),
        np.array([*rng.uniform(-0.4, 0.4, 2), rng.uniform(0, 2 * np.pi), strength]),
        np.array([*rng.uniform(-0.6, 0.6, 2), rng.uniform(0.08, 0.4), rng.uniform(0.3, 1.0)]),
    )


def shot(one: Print, scene: Frame, fall: Light, size: float, rng: np.random.Generator) -> tuple[Plane, float]:
    """The print from one place, within the box that a detector would give.

    Args:
        one: the print.
        scene: what is behind it.
        fall: the light.
        size: of the sign, px of the camera, the longer side.
        rng: decides pose and box.

    Returns:
        (H, W, 3) float32 BGR in 0…1, larger than the camera's pixels make it, and how many of its pixels are
        one of the camera's.
    """
    pose = _pose(one, rng)
    seen = _project(pose, one.outline)
    low, high = seen.min(axis=0), seen.max(axis=0)
    unit = size / float((high - low).max())  # camera's px for each of the plane of view
    box = _box(low, high, rng)
    size_wh = np.maximum((box[1] - box[0]) * unit, 8.0)
    per_px = float(np.clip(2.0, SMALLEST_RASTER / size_wh.max(), max(1.0, LARGEST_RASTER / size_wh.max())))
    width, height = np.maximum(1, np.rint(size_wh * per_px)).astype(int).tolist()
    zoom = np.array([width, height]) / (box[1] - box[0])
    to_raster = np.array([[zoom[0], 0, -box[0, 0] * zoom[0]], [0, zoom[1], -box[0, 1] * zoom[1]], [0, 0, 1]])
    level = int(np.clip(np.floor(-np.log2(max(float(zoom.min()), 1e-3))), 0, LEVELS - 1))
    sheet = one.levels[level]
    to_plane = _from_level(sheet, level)
    warped: Plane = np.asarray(
        cv2.warpPerspective(sheet, to_raster @ pose @ to_plane, (width, height), flags=cv2.INTER_LINEAR),
        np.float32,
    )
    picture = _behind(scene, (width, height), rng) * np.float32(fall.behind)
    cover = warped[..., 3:]
    if rng.random() < 0.4:
        picture *= 1 - rng.uniform(0.2, 0.7) * _shadow_of(cover, rng)
    if rng.random() < 0.3:
        _post(picture, to_raster @ pose, one, rng)
    lit = _lit(warped[..., :3], cover, fall, one.gloss, rng)
    picture = picture * (1 - cover) + lit
    toned = np.clip(picture * fall.gains.astype(np.float32), 0, 1) ** np.float32(fall.gamma)
    return np.asarray(toned, np.float32), per_px


def _ink(colors: Plane, rng: np.random.Generator) -> Plane:
    """Printed colours (H, W, 3) are duller than those of a screen, black is grey, and paper has a tint."""
    grey = colors.mean(axis=2, keepdims=True)
    duller = colors + np.float32(rng.uniform(0, 0.45)) * (grey - colors)
    mixed = duller @ (np.eye(3) + rng.normal(0, 0.05, (3, 3))).astype(np.float32)
    black, white = rng.uniform(0, 0.22), rng.uniform(0.75, 1.0) + rng.normal(0, 0.025, 3)
    return np.asarray(np.clip(black + mixed * (white - black).astype(np.float32), 0, 1), np.float32)


def _pose(one: Print, rng: np.random.Generator) -> Points:
    """(3, 3) from the print's plane to the plane of view: turned, tilted, leaning, from near or far."""
    yaw, pitch, roll = np.radians(np.clip(rng.normal(0, (22, 11, 5)), (-60, -35, -20), (60, 35, 20)))
    reach = float(np.abs(one.outline).max())
    distance = reach * rng.uniform(4, 14)
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    tilt = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    rotated = lean @ tilt @ turn
    # The print has z = 0: its third axis is replaced by where it is.
    return np.asarray(
        np.column_stack([rotated[:, 0], rotated[:, 1], (0, 0, distance)]) * [[1], [1], [1 / distance]]
    )


def _project(matrix: Points, points: Points) -> Points:
    """(P, 2) through a (3, 3) homography."""
    through = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(through[:, :2] / through[:, 2:])


def _box(low: Points, high: Points, rng: np.random.Generator) -> Points:
    """[[x1, y1], [x2, y2]] around a sign as detectors give it: not quite, and sometimes a part is cut off."""
    size = high - low
    box = np.array([low - MARGIN * size, high + MARGIN * size])
    box += rng.normal(0, 0.05, (2, 2)) * size
    if rng.random() < 0.12:
        side, axis = rng.integers(2, size=2)
        inwards = 1 - 2 * side
        box[side, axis] += inwards * rng.uniform(0.05, 0.3) * size[axis]
    return box


def _from_level(sheet: Plane, level: int) -> Points:
    """(3, 3) from pixels of a level to the print's plane, whose origin is its middle."""
    height, width = sheet.shape[:2]
    scale = 2.0**level
    return np.array([[scale, 0, -scale * width / 2], [0, scale, -scale * height / 2], [0, 0, 1]])


def _behind(scene: Frame, size_wh: tuple[int, int], rng: np.random.Generator) -> Plane:
    """A part of the scene, resized to the crop, float32 BGR in 0…1."""
    height, width = scene.shape[:2]
    side = rng.uniform(0.12, 0.7) * height
    part_w, part_h = (max(2, round(side * one / max(size_wh))) for one in size_wh)
    y, x = int(rng.integers(height - part_h + 1)), int(rng.integers(width - part_w + 1))
    part = scene[y : y + part_h, x : x + part_w].astype(np.float32)
    return np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_LINEAR) / np.float32(255))


def _shadow_of(cover: Plane, rng: np.random.Generator) -> Plane:
    """(H, W, 1) 0…1, where the sign's own shadow falls on what is behind it."""
    height, width = cover.shape[:2]
    shift = np.array([[1, 0, rng.uniform(-0.15, 0.15) * width], [0, 1, rng.uniform(0, 0.15) * height]])
    moved = cv2.warpAffine(cover, shift, (width, height))
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), 0.02 * width + 0.5)[..., None], np.float32)


def _post(picture: Plane, to_raster: Points, one: Print, rng: np.random.Generator) -> None:
    """Draw what the sign is fixed to, below its middle."""
    reach = float(np.abs(one.outline).max())
    half, top = rng.uniform(0.03, 0.12) * reach, rng.uniform(-0.5, 0.9) * reach
    corners = np.array([(-half, top), (half, top), (half, 3 * reach), (-half, 3 * reach)])
    color = np.clip(rng.uniform(0.05, 0.95) + rng.normal(0, 0.06, 3), 0, 1)
    points = np.clip(np.rint(_project(to_raster, corners)), -9999, 9999).astype(np.int32)
    cv2.fillConvexPoly(picture, points, color.tolist(), cv2.LINE_AA)


def _lit(colors: Plane, cover: Plane, fall: Light, gloss: float, rng: np.random.Generator) -> Plane:
    """The print (H, W, 3), premultiplied, in its light: a slope, a shadow, a reflection."""
    height, width = colors.shape[:2]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    amount = 1 + np.float32(fall.slope[0]) * x + np.float32(fall.slope[1]) * y
    left, top, angle, strength = fall.shadow.astype(np.float32)
    if strength:
        behind = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
        amount = amount * (1 - strength / (1 + np.exp(np.clip(-60 * behind, -50, 50))))
    lit = colors * amount[..., None]
    if gloss:
        at_x, at_y = fall.lamp[:2] + rng.normal(0, 0.15, 2)  # it moves with the camera
        size = np.float32(fall.lamp[2])
        spot = np.exp(-(((x - at_x) / size) ** 2 + ((y - at_y) / (size * 0.6)) ** 2))
        lit = lit + np.float32(gloss * fall.lamp[3]) * spot[..., None].astype(np.float32) * cover
    return np.asarray(lit, np.float32)
