"""Tracks whose truth is known: tape on a plain floor, drawn by the renderer that the training uses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from perception import Ground
from perception.segmentation import RoadMask
from training.datasets.tracks import floors, lines, rooms, scene
from training.datasets.tracks.calibration import calibrated
from training.datasets.tracks.camera import Camera
from training.datasets.tracks.lines import Points, Stroke
from training.datasets.tracks.surfaces import Under
from training.datasets.tracks.things import Thing

LABELS = ("floor", "line", "object", "elsewhere")
PALETTE = ((0, 160, 0), (255, 255, 255), (200, 0, 0), (90, 90, 90))
TAPE_M = 0.02
WHITE = (255.0, 255.0, 255.0)
QUIET = 8  # a seed without the car's bumper, stray shadows and worn tape


def camera(
    size_hw: tuple[int, int] = (120, 160),
    *,
    view: float = 1.5,
    wide: float = 1e-3,
    height_m: float = 0.18,
    pitch: float = 0.3,
    roll: float = 0.0,
) -> Camera:
    """A camera of a small car; angles in rad."""
    return Camera.of_view(size_hw, view=view, wide=wide, height_m=height_m, pitch=pitch, roll=roll)


def ground(seen_by: Camera, **options: float) -> Ground:
    """What measures in its pictures, with its exact calibration and place."""
    pose = {
        "height_m": seen_by.height_m,
        "pitch_deg": math.degrees(seen_by.pitch),
        "roll_deg": -math.degrees(seen_by.roll),  # the renderer turns the other way
    }
    return Ground(calibrated(seen_by), **{**pose, **options})


def arc(right_m: float = 0.0, heading: float = 0.0, bend: float = 0.0, length_m: float = 3.0) -> Points:
    """(N, 2) m to the right and ahead: the middle of a lane; heading and bend (1/m) are to the right."""
    step = 0.02
    turned = heading + bend * np.arange(round(length_m / step)) * step
    steps = np.stack([np.sin(turned), np.cos(turned)], axis=1) * step
    return np.array([right_m, -0.2]) + np.cumsum(steps, axis=0)


def tape(path: Points, width_m: float = TAPE_M) -> Stroke:
    return Stroke.along(path, width_m, WHITE)


def lane(middle: Points, width_m: float = 0.37) -> list[Stroke]:
    """A tape on each side, ``width_m`` apart from middle to middle."""
    aside = lines.normals(middle) * width_m / 2
    return [tape(middle - aside), tape(middle + aside)]


def across(middle: Points, ahead_m: float, width_m: float = 0.37, thick_m: float = 0.03) -> Stroke:
    """A stop line; ``ahead_m`` is where its nearer edge meets the middle of a straight lane."""
    at = np.array([np.interp(ahead_m, middle[:, 1], middle[:, 0]), ahead_m + thick_m / 2])
    right = lines.normals(middle)[len(middle) // 2] * width_m / 2
    return tape(lines.straight(at - right, at + right), thick_m)


def mask(seen_by: Camera, strokes: Sequence[Stroke], things: Sequence[Thing] = ()) -> RoadMask:
    """The exact mask, of which it is sure."""
    fine, coarse = np.full((384, 384, 3), 90, np.uint8), np.full((48, 48, 3), 90, np.uint8)
    floor = floors.Floor(fine, coarse, 1.0, np.ones(3, np.float32), np.zeros(3, np.float32), 0.0)
    strip = (round(rooms.HEIGHT_M * rooms.TEXELS_PER_M), round(rooms.ROUND_M * rooms.TEXELS_PER_M), 3)
    room = rooms.Room(np.full(strip, 250, np.uint8), 0.0, (6.0, 6.0, 6.0, 6.0))
    drawn = scene.Scene(seen_by, Under(floor, room), tuple(strokes), tuple(things))
    _, ids = scene.picture(drawn, np.random.default_rng(QUIET))
    return RoadMask(ids, np.full(ids.shape, 255, np.uint8), LABELS, PALETTE)


def left_m(middle: Points, ahead_m: float) -> float:
    """Where a lane's middle is, to the left of straight ahead."""
    return -float(np.interp(ahead_m, middle[:, 1], middle[:, 0]))
