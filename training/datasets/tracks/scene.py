"""One scene: everything is put together, seen by the camera, and its mask is made of the same geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks import camera as cameras
from training.datasets.tracks import lamps, light, lines, solids, tape, things
from training.datasets.tracks.camera import Camera
from training.datasets.tracks.classes import FLOOR, TIMES, averaged
from training.datasets.tracks.lamps import Lamp
from training.datasets.tracks.light import Picture
from training.datasets.tracks.lines import Stroke
from training.datasets.tracks.surfaces import Under, surfaces
from training.datasets.tracks.things import Thing


@dataclass(frozen=True)
class Scene:
    """What is drawn.

    Attributes:
        camera: at the size of the picture.
        under: the floor and the room.
        strokes: lines on the floor.
        things: on the floor, the farthest first.
        lamps: above it.
    """

    camera: Camera
    under: Under
    strokes: Sequence[Stroke] = ()
    things: Sequence[Thing] = ()
    lamps: Sequence[Lamp] = ()


def drawn(size_hw: tuple[int, int], rng: np.random.Generator, pictures: tuple[Path, ...] = ()) -> Scene:
    """Any scene."""
    camera, under = cameras.drawn(size_hw, rng), Under.drawn(rng, pictures)
    middle, strokes = lines.drawn(rng, under.floor.color)
    on_floor = things.drawn(middle, under.room.walls_m, rng)
    return Scene(camera, under, strokes, on_floor, lamps.drawn(rng))


def picture(scene: Scene, rng: np.random.Generator) -> tuple[Picture, NDArray[np.uint8]]:
    """A scene as an ideal camera sees it, and its mask.

    Args:
        scene: what is drawn.
        rng: decides on light, wear and shadows.

    Returns:
        (H, W, 3) float32 BGR, and (H, W) uint8 class ids, 255 where nobody could say.
    """
    height, width = scene.camera.size_hw
    fine = replace(
        scene.camera, size_hw=(TIMES * height, TIMES * width), focal_px=TIMES * scene.camera.focal_px
    )
    image, ids, mirrored, ground = surfaces(scene.under, fine, rng)
    below = ids == FLOOR
    lamps.paint(image, scene.lamps, fine, mirror=False)
    image = tape.paint(image, ids, scene.strokes, ground, rng)
    if scene.things:
        light.times(image, np.where(below, solids.shadows(scene.things, fine, rng), np.float32(1)))
    if mirrored is not None:
        reflection, share = mirrored
        lamps.paint(reflection, scene.lamps, fine, mirror=True)
        solids.paint(reflection, None, scene.things, fine, mirror=True)
        image += light.times(np.asarray(cv2.blur(reflection, (5, 9)), np.float32), share)
    solids.paint(image, ids, scene.things, fine, mirror=False)
    if rng.random() < 0.15:
        solids.bumper(image, ids, rng)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32), averaged(ids)
