"""Floor and walls as a camera sees them: textures, light, and what a glossy floor mirrors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets.tracks import floors, light, rooms
from training.datasets.tracks.camera import Camera, Plane
from training.datasets.tracks.classes import ELSEWHERE, FLOOR
from training.datasets.tracks.floors import Floor
from training.datasets.tracks.light import Picture
from training.datasets.tracks.lines import Points
from training.datasets.tracks.rooms import Room


@dataclass(frozen=True)
class Ground:
    """Where a camera's pixels meet the floor, or the wall in front of it: x and y, m, and the light there."""

    camera: Camera
    x: Plane
    y: Plane
    shade: Plane


@dataclass(frozen=True)
class Under:
    """The floor, and the room that it is in.

    Attributes:
        floor: of the track.
        room: around it.
        outside: another floor, on which that of the track is a mat or a sheet; None if there is none.
        is_rough: the car cannot drive there: grass, gravel.
        edges: (N, 3) of the mat: there is another floor where a·x + b·y > c, for any of them; m.
    """

    floor: Floor
    room: Room
    outside: Floor | None = None
    is_rough: bool = False
    edges: Points = field(default_factory=lambda: np.zeros((0, 3)))

    @classmethod
    def drawn(cls, rng: np.random.Generator, pictures: tuple[Path, ...] = ()) -> Under:
        """Any of them; one in six is a mat."""
        floor, room = floors.drawn(rng, pictures), rooms.drawn(rng)
        if rng.random() > 1 / 6:
            return cls(floor, room)
        is_rough = bool(rng.random() < 0.6)
        outside = floors.drawn(rng) if not is_rough else floors.grass(rng)
        turn = rng.normal(0, 0.4)
        angles = turn + np.array([0.0, np.pi, np.pi / 2])
        distances = np.array([*np.exp(rng.uniform(np.log(0.35), np.log(2.5), 2)), rng.uniform(0.8, 4.0)])
        edges = np.stack([np.cos(angles), np.sin(angles), distances], axis=1)
        return cls(floor, room, outside, is_rough, edges[rng.random(3) < 0.7])

    def beyond(self, ground: Ground) -> NDArray[np.bool_]:
        """(H, W) where the other floor is."""
        found = np.zeros(ground.x.shape, bool)
        for a, b, c in self.edges.astype(np.float32):
            found |= a * ground.x + b * ground.y > c
        return found


def surfaces(
    under: Under, camera: Camera, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.uint8], tuple[Picture, Plane] | None, Ground]:
    """Floor and walls without anything on them.

    Returns:
        Picture; class ids; what the floor mirrors, and how much, if it does; and places on the floor.
    """
    x, y, z = camera.rays()
    to_wall, place = under.room.meet(x, y)
    to_floor = np.float32(camera.height_m) / np.maximum(-z, 1e-5)
    below = (to_floor < to_wall).view(np.uint8)
    times = np.minimum(to_floor, to_wall)
    shade = light.unevenness(camera.size_hw, rng, strength=0.12)
    ground = Ground(camera, x * times, y * times, shade)
    _patches_of_light(ground, rng)
    paper = under.room.paper(place, np.abs(np.float32(camera.height_m) + to_wall * z))
    brightness = light.unevenness(camera.size_hw, rng, strength=0.15) * np.float32(rng.uniform(0.5, 1.1))
    image = light.times(paper.astype(np.float32), brightness)
    ids = np.where(below, np.uint8(FLOOR), np.uint8(ELSEWHERE))
    beyond = under.beyond(ground) & (ids == FLOOR)
    if under.is_rough:
        ids[beyond] = ELSEWHERE
    mirrored = None
    if under.floor.gloss > 0.05:
        slant = np.clip(-z / np.sqrt(x * x + y * y + z * z), 0, 1)
        share = np.float32(under.floor.gloss) * (0.04 + 0.96 * (1 - slant) ** 4) * (ids == FLOOR)
        rough = int(rng.integers(1, 5)) * 2 + 1
        mirrored = (
            np.asarray(cv2.blur(image, (rough, 3 * rough)), np.float32),
            np.asarray(share, np.float32),
        )
        shade = shade * (1 - share * np.float32(0.7))
    first = int(below.any(axis=1).argmax())  # rows above show no floor
    places = (ground.x[first:], ground.y[first:], times[first:])
    surface = _material(under.floor, places, camera, rng)
    if under.outside is not None:
        cv2.copyTo(_material(under.outside, places, camera, rng), beyond.view(np.uint8)[first:], surface)
    cv2.copyTo(light.times(surface, shade[first:]), below[first:], image[first:])
    return image, ids, mirrored, ground


def _material(
    floor: Floor, ground: tuple[Plane, Plane, Plane], camera: Camera, rng: np.random.Generator
) -> Picture:
    """The floor's texture, finer near the camera and averaged in the distance."""
    gx, gy, times = ground
    angle = rng.uniform(0, 2 * np.pi)
    turns = 1 / floor.square_m
    cos, sin = np.float32(np.cos(angle) * turns), np.float32(np.sin(angle) * turns)
    start = rng.uniform(0, 1, 2).astype(np.float32)
    u, v = cos * gx + sin * gy + start[0], cos * gy - sin * gx + start[1]
    u -= np.floor(u)
    v -= np.floor(v)
    near, far = (
        cv2.remap(square, u * len(square), v * len(square), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
        for square in (floor.fine, floor.coarse)
    )
    # A pixel covers so many texels of the floor in the direction in which it covers most.
    texels = times * times * np.float32(floors.SIDE * turns / (camera.height_m * camera.focal_px))
    to_far, to_mean = np.clip((texels - 1.0) / 5.0, 0, 1), np.clip((texels - 12.0) / 40.0, 0, 1)
    mixed = cv2.blendLinear(near, far, 1 - to_far, to_far)
    mean = np.empty_like(mixed)
    mean[:] = floor.coarse.mean((0, 1))
    mixed = cv2.blendLinear(mixed, mean, 1 - to_mean, to_mean).astype(np.float32)
    colors = np.concatenate([np.diag(floor.gain), floor.shift[:, None]], axis=1)
    return np.asarray(cv2.transform(mixed, colors), np.float32)


def _patches_of_light(ground: Ground, rng: np.random.Generator) -> None:
    """Sun through a window, or the shadow of something that is not in the picture, with straight edges."""
    if rng.random() > 0.3:
        return
    angle, softness = rng.uniform(0, np.pi), np.float32(rng.uniform(4, 60))
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = cos * ground.x + sin * (ground.y - np.float32(rng.uniform(0.2, 2.5)))
    inside = np.clip((np.float32(rng.uniform(0.03, 0.7)) - np.abs(along)) * softness + 0.5, 0, 1)
    if rng.random() < 0.5:
        across = cos * ground.y - sin * ground.x
        inside *= np.clip((np.float32(rng.uniform(0.1, 1.5)) - np.abs(across)) * softness + 0.5, 0, 1)
    factor = rng.uniform(0.35, 0.8) if rng.random() < 0.6 else rng.uniform(1.3, 2.0)
    ground.shade[:] *= 1 + inside * np.float32(factor - 1)
