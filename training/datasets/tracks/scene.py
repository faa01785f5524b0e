"""One scene: everything is put together, seen by the camera, and its mask is made of the same geometry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.tasks import UNLABELLED
from training.datasets.tracks import camera as cameras
from training.datasets.tracks import floors, light, lines, rooms, things
from training.datasets.tracks.camera import Camera, Plane
from training.datasets.tracks.floors import Floor
from training.datasets.tracks.light import Picture
from training.datasets.tracks.lines import Points, Stroke
from training.datasets.tracks.rooms import Room
from training.datasets.tracks.things import Face, Thing

FLOOR, LINE, OBJECT, ELSEWHERE, UNSURE = range(5)  # UNSURE becomes UNLABELLED
TIMES = 2  # pixels are drawn so much finer each way, and averaged
OBJECT_WITHIN_M = 2.2  # farther things are elsewhere
SURE_PX, SEEN_PX = 0.3, 0.12  # width of a line that people would mark, and of one that they might see
_SHIFT = 4  # fractional bits of OpenCV's coordinates


@dataclass(frozen=True)
class Scene:
    """What is drawn.

    Attributes:
        camera: at the size of the picture.
        floor: what it is made of.
        room: what is around it.
        strokes: lines on the floor.
        things: on the floor, the farthest first.
    """

    camera: Camera
    floor: Floor
    room: Room
    strokes: Sequence[Stroke]
    things: Sequence[Thing]


def drawn(size_hw: tuple[int, int], rng: np.random.Generator, pictures: tuple[Path, ...] = ()) -> Scene:
    """Any scene."""
    camera = cameras.drawn(size_hw, rng)
    floor = floors.drawn(rng, pictures)
    room = rooms.drawn(rng)
    middle, strokes = lines.drawn(rng, floor.color)
    return Scene(camera, floor, room, strokes, things.drawn(middle, room.walls_m, rng))


def picture(scene: Scene, rng: np.random.Generator) -> tuple[Picture, NDArray[np.uint8]]:
    """A scene as an ideal camera sees it, and its mask.

    Args:
        scene: what is drawn.
        rng: decides on light, wear and shadows.

    Returns:
        (H, W, 3) float32 BGR, and (H, W) uint8 class ids, 255 where nobody could say.
    """
    height, width = scene.camera.size_hw
    fine = Camera(
        (TIMES * height, TIMES * width),
        TIMES * scene.camera.focal_px,
        scene.camera.wide,
        scene.camera.height_m,
        scene.camera.pitch,
        scene.camera.roll,
    )
    image, ids, mirrored, ground = _surfaces(scene, fine, rng)
    below = ids == FLOOR
    image = _paint_lines(image, ids, scene.strokes, ground, rng)
    if scene.things:
        light.times(image, np.where(below, _shadows(scene.things, fine, rng), np.float32(1)))
    if mirrored is not None:
        reflection, share = mirrored
        _paint_things(reflection, None, scene.things, fine, mirror=True)
        image += light.times(np.asarray(cv2.blur(reflection, (5, 9)), np.float32), share)
    _paint_things(image, ids, scene.things, fine, mirror=False)
    if rng.random() < 0.15:
        _bumper(image, ids, rng)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32), _averaged(ids)


@dataclass(frozen=True)
class _Ground:
    """Where a camera's pixels meet the floor, or the wall in front of it: x and y, m, and the light there."""

    camera: Camera
    x: Plane
    y: Plane
    shade: Plane


def _surfaces(
    scene: Scene, camera: Camera, rng: np.random.Generator
) -> tuple[Picture, NDArray[np.uint8], tuple[Picture, Plane] | None, _Ground]:
    """Floor and walls without anything on them.

    Returns:
        Picture; class ids; what the floor mirrors, and how much, if it does; and places on the floor.
    """
    x, y, z = camera.rays()
    to_wall, place = scene.room.meet(x, y)
    to_floor = np.float32(camera.height_m) / np.maximum(-z, 1e-5)
    below = (to_floor < to_wall).view(np.uint8)
    times = np.minimum(to_floor, to_wall)
    shade = light.unevenness(camera.size_hw, rng, strength=0.12)
    ground = _Ground(camera, x * times, y * times, shade)
    _patches_of_light(ground, rng)
    paper = scene.room.paper(place, np.abs(np.float32(camera.height_m) + to_wall * z))
    brightness = light.unevenness(camera.size_hw, rng, strength=0.15) * np.float32(rng.uniform(0.5, 1.1))
    image = light.times(paper.astype(np.float32), brightness)
    mirrored = None
    if scene.floor.gloss > 0.05:
        slant = np.clip(-z / np.sqrt(x * x + y * y + z * z), 0, 1)
        share = np.float32(scene.floor.gloss) * (0.04 + 0.96 * (1 - slant) ** 4) * below
        rough = int(rng.integers(1, 5)) * 2 + 1
        mirrored = (
            np.asarray(cv2.blur(image, (rough, 3 * rough)), np.float32),
            np.asarray(share, np.float32),
        )
        shade = shade * (1 - share * np.float32(0.7))
    first = int(below.any(axis=1).argmax())  # rows above show no floor
    surface = _material(scene.floor, (ground.x[first:], ground.y[first:], times[first:]), camera, rng)
    cv2.copyTo(light.times(surface, shade[first:]), below[first:], image[first:])
    return image, np.where(below, np.uint8(FLOOR), np.uint8(ELSEWHERE)), mirrored, ground


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


def _patches_of_light(ground: _Ground, rng: np.random.Generator) -> None:
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


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Coordinates for OpenCV, whose (0, 0) is the middle of the first pixel."""
    limited = np.clip(points - 0.5, -4000, 4000)
    return np.asarray(np.rint(limited * (1 << _SHIFT)), np.int32)


def _paint_lines(
    image: Picture,
    ids: NDArray[np.uint8],
    strokes: Sequence[Stroke],
    ground: _Ground,
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
    inside = ((middle > -margin) & (middle < np.add(size_wh, margin))).all(axis=1)
    kept = stroke.kept & drawn_[:-1] & drawn_[1:] & (inside[:-1] | inside[1:])
    covers, marks = (
        np.concatenate([_fixed(middle - off), _fixed(middle + off)[::-1]]) for off in (inner, wide)
    )
    for start, end in _runs(kept, bands):
        around = np.r_[start : end + 1, 2 * count - 1 - end : 2 * count - start]
        opacity = round(255 * stroke.opacity * float(thin[start:end].mean()))
        cv2.fillPoly(layers.cover, [covers[around]], opacity, cv2.LINE_8, _SHIFT)
        cv2.fillPoly(layers.color, [marks[around]], stroke.color, cv2.LINE_8, _SHIFT)
        if bands[start]:
            mark = LINE if bands[start] == 2 else UNSURE
            cv2.fillPoly(layers.marks, [marks[around]], mark, cv2.LINE_8, _SHIFT)


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


def _shadows(things_: Sequence[Thing], camera: Camera, rng: np.random.Generator) -> Plane:
    """(H, W) factors: dark floor around the feet of things, and long shadows if there is one lamp."""
    towards = rng.normal(0, 0.6, 2) if rng.random() < 0.5 else rng.normal(0, 0.12, 2)
    outlines = []
    for thing in things_:
        corners = np.concatenate([face.corners for face in thing.faces])
        cast = np.concatenate([corners[:, :2] + corners[:, 2:] * towards, corners[corners[:, 2] < 0.02, :2]])
        hull = cv2.convexHull(cast.astype(np.float32))[:, 0].astype(np.float64)
        outlines.append(np.concatenate([hull, np.zeros((len(hull), 1))], axis=1))
    height, width = camera.size_hw
    layer = np.zeros((height // 2, width // 2), np.uint8)
    for points, in_front in _projected(outlines, camera):
        if in_front.all():
            cv2.fillPoly(layer, [points // 2], 255, cv2.LINE_8, _SHIFT)
    blur = int(rng.integers(1, 8)) * 2 + 1
    soft = cv2.resize(cv2.blur(layer, (blur, blur)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 - soft * np.float32(rng.uniform(0.15, 0.7) / 255), np.float32)


def _projected(
    outlines: Sequence[Points], camera: Camera
) -> Iterable[tuple[NDArray[np.int32], NDArray[np.bool_]]]:
    """Where outlines are in the picture: all in one go, because that is ten times faster."""
    places, in_front = camera.project(np.concatenate(outlines))
    fixed = _fixed(places)
    ends = np.cumsum([len(outline) for outline in outlines])
    for start, end in zip((0, *ends[:-1]), ends):
        yield fixed[start:end], in_front[start:end]


def _bent(faces: Sequence[Face]) -> list[Points]:
    """Outlines with points between their four corners, because a wide lens bends edges."""
    is_square = [len(face.corners) == 4 for face in faces]
    squares = np.stack([face.corners for face, square in zip(faces, is_square) if square])
    after = squares[:, [1, 2, 3, 0]]
    shares = np.linspace(0, 1, 5, endpoint=False)[:, None]
    between = (squares[:, :, None] + (after - squares)[:, :, None] * shares).reshape(len(squares), -1, 3)
    bent = iter(between)
    return [next(bent) if square else face.corners for face, square in zip(faces, is_square)]


def _paint_things(
    image: Picture,
    ids: NDArray[np.uint8] | None,
    things_: Sequence[Thing],
    camera: Camera,
    *,
    mirror: bool,
) -> None:
    """Fill the sides of all things, in their order; ``mirror`` draws them upside down below the floor."""
    faces: list[Face] = []
    labels: list[int] = []
    for thing in things_:
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
        cv2.fillPoly(image, outline, face.color, cv2.LINE_8, _SHIFT)
        if ids is not None:
            cv2.fillPoly(ids, outline, label, cv2.LINE_8, _SHIFT)


def _bumper(image: Picture, ids: NDArray[np.uint8], rng: np.random.Generator) -> None:
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
            cv2.polylines(layer, [_fixed(points)], False, value, thick, cv2.LINE_8, _SHIFT)
        else:
            cv2.fillPoly(layer, [_fixed(points)], value, cv2.LINE_8, _SHIFT)


def _averaged(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids at the picture's size: what most of a pixel is; a line where half of it is one."""
    size_wh = (ids.shape[1] // TIMES, ids.shape[0] // TIMES)
    votes = {
        label: cv2.resize(
            (ids == label).view(np.uint8) * np.uint8(240), size_wh, interpolation=cv2.INTER_AREA
        )
        for label in (LINE, FLOOR, OBJECT, ELSEWHERE, UNSURE)
    }
    winner, most = np.full(size_wh[::-1], LINE, np.uint8), votes[LINE]
    for label, count in votes.items():
        winner[count > most] = UNLABELLED if label == UNSURE else label
        most = np.maximum(most, count)
    return winner
