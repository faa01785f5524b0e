"""What is in the car's way or beside it: boards, boxes, cones, sign posts, feet, furniture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from training.datasets.tracks.lines import Points

Color = tuple[float, float, float]
SIDES = 14  # corners of what is round


@dataclass(frozen=True)
class Face:
    """A flat side of a thing: (N, 3) corners in the world, m, and its BGR."""

    corners: Points
    color: Color


@dataclass(frozen=True)
class Thing:
    """Something on the floor: its sides, the rearmost first, and (x, y) where it is, m."""

    faces: tuple[Face, ...]
    place: tuple[float, float]

    @property
    def away_m(self) -> float:
        return math.hypot(*self.place)


def any_color(rng: np.random.Generator) -> Color:
    """Dull more often than bright."""
    base = rng.uniform(8, 235)
    spread = 8 if rng.random() < 0.6 else 60
    values = np.clip(base + rng.normal(0, spread, 3), 3, 252)
    return float(values[0]), float(values[1]), float(values[2])


def _shade(color: Color, factor: float) -> Color:
    return min(color[0] * factor, 255.0), min(color[1] * factor, 255.0), min(color[2] * factor, 255.0)


def _upright(place: Points, yaw: float, outline: Iterable[tuple[float, float]], off: float = 0.0) -> Points:
    """An outline of (across, above) m on an upright plane that looks to the camera, turned by ``yaw``."""
    across = np.array([math.cos(yaw), math.sin(yaw)])
    nearer = np.array([math.sin(yaw), -math.cos(yaw)]) * off
    flat = np.array(list(outline), np.float64)
    ground = place + nearer + flat[:, :1] * across
    return np.concatenate([ground, flat[:, 1:]], axis=1)


def _rectangle(left: float, bottom: float, right: float, top: float) -> list[tuple[float, float]]:
    return [(left, bottom), (left, top), (right, top), (right, bottom)]


def _round(
    x: float, y: float, width: float, height: float, corners: int = SIDES
) -> list[tuple[float, float]]:
    turns = np.arange(corners) * 2 * math.pi / corners + math.pi / 2
    return [(x + width * math.cos(t), y + height * math.sin(t)) for t in turns]


def cuboid(place: Points, yaw: float, size: tuple[float, float, float], color: Color) -> list[Face]:
    """The sides of a box that the camera may see; ``size`` is across, along and above, m."""
    across = np.array([math.cos(yaw), math.sin(yaw)]) * size[0] / 2
    along = np.array([-math.sin(yaw), math.cos(yaw)]) * size[1] / 2
    ring = [place - across - along, place + across - along, place + across + along, place - across + along]
    faces: list[tuple[float, Face]] = []
    for index in range(4):
        a, b = ring[index], ring[(index + 1) % 4]
        outward = np.array([b[1] - a[1], a[0] - b[0]])
        if outward @ (a + b) < 0:  # looks to the camera
            corners = np.array([[*a, 0.0], [*a, size[2]], [*b, size[2]], [*b, 0.0]])
            light = 0.75 + 0.25 * abs(math.cos(math.atan2(outward[1], outward[0]) + 0.6))
            faces.append((-float(np.hypot(*(a + b))), Face(corners, _shade(color, light))))
    faces.sort(key=lambda entry: entry[0])
    top = Face(np.array([[*corner, size[2]] for corner in ring]), _shade(color, 1.15))
    return [top, *(face for _, face in faces)]


def box(place: Points, rng: np.random.Generator) -> list[Face]:
    """A carton, with its tape, a label or a handle."""
    yaw = rng.uniform(-0.8, 0.8)
    wide, deep, high = np.exp(rng.uniform(np.log(0.06), np.log(0.5), 3))
    color = (85.0, 125.0, 160.0) if rng.random() < 0.35 else any_color(rng)
    faces = cuboid(place, yaw, (wide, deep, high), _shade(color, rng.uniform(0.4, 1.2)))
    for face in faces[-2:]:
        if len(faces) > 1 and rng.random() < 0.6:
            faces.append(_on(face, rng, _shade(color, rng.uniform(0.3, 1.6))))
    return faces


def _on(face: Face, rng: np.random.Generator, color: Color) -> Face:
    """A label on a side of four corners."""
    (a, b), (c, d) = (sorted(rng.uniform(0.05, 0.95, 2)) for _ in range(2))
    corners = face.corners
    right, up = corners[3] - corners[0], corners[1] - corners[0]
    inner = [corners[0] + right * u + up * v for u, v in ((a, c), (a, d), (b, d), (b, c))]
    return Face(np.array(inner), color)


def cone(place: Points, rng: np.random.Generator) -> list[Face]:
    """A traffic cone with its stripes."""
    high = rng.uniform(0.05, 0.4)
    color = (20.0, 90.0, 235.0) if rng.random() < 0.7 else any_color(rng)
    half, yaw = high * rng.uniform(0.25, 0.45), rng.uniform(-0.3, 0.3)
    faces = cuboid(place, yaw, (2.3 * half, 2.3 * half, high * 0.05), _shade(color, 0.8))

    def part(low: float, top: float, shade: Color) -> Face:
        a, b = half * (1 - low * 0.9), half * (1 - top * 0.9)
        return Face(
            _upright(place, yaw, [(-a, low * high), (-b, top * high), (b, top * high), (a, low * high)]),
            shade,
        )

    faces.append(part(0.04, 1.0, color))
    if rng.random() < 0.8:
        low = rng.uniform(0.3, 0.6)
        faces.append(part(low, low + rng.uniform(0.12, 0.25), (235.0, 235.0, 235.0)))
    return faces


def sign(place: Points, rng: np.random.Generator) -> list[Face]:
    """A traffic sign on its post, or the back of one."""
    size, post = rng.uniform(0.025, 0.09), rng.uniform(0.004, 0.014)
    high, yaw = rng.uniform(0.05, 0.3), rng.normal(0, 0.5)
    gray = any_color(rng)
    faces = [Face(_upright(place, yaw, _rectangle(-post / 2, 0, post / 2, high)), gray)]
    if rng.random() < 0.6:
        faces = cuboid(place, yaw, (size, size, rng.uniform(0.004, 0.03)), gray) + faces
    corners = int(rng.choice([3, 4, 8, SIDES]))
    rims: tuple[Color, ...] = (
        (40.0, 40.0, 205.0),
        (190.0, 90.0, 20.0),
        (30.0, 200.0, 240.0),
        (235.0, 235.0, 235.0),
    )
    rim, inside = rims[int(rng.integers(4))], (240.0, 240.0, 240.0) if rng.random() < 0.6 else any_color(rng)
    middle = high + size * 0.8
    for share, color in ((1.0, rim), (rng.uniform(0.6, 0.85), inside)):
        faces.append(
            Face(_upright(place, yaw, _round(0, middle, size * share, size * share, corners), 0.003), color)
        )
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(-0.4, 0.4, 2) * size
        w, h = rng.uniform(0.08, 0.4, 2) * size
        mark = _rectangle(x - w, middle + y - h, x + w, middle + y + h)
        faces.append(Face(_upright(place, yaw, mark, 0.005), any_color(rng)))
    return faces


def feet(place: Points, rng: np.random.Generator) -> list[Face]:
    """Somebody's shoes and legs."""
    trousers, shoe, yaw = any_color(rng), any_color(rng), rng.normal(0, 0.3)
    faces = []
    for side in (-1, 1):
        x = side * rng.uniform(0.07, 0.2)
        top = x * rng.uniform(0.4, 1.0)
        leg = [(x - 0.05, 0.06), (top - 0.08, 0.8), (top + 0.08, 0.8), (x + 0.05, 0.06)]
        faces.append(
            Face(_upright(place, yaw, leg), trousers if rng.random() < 0.8 else (130.0, 160.0, 205.0))
        )
        faces.append(Face(_upright(place, yaw, _round(x, 0.045, 0.06, 0.048), 0.08), shoe))
        faces.append(
            Face(_upright(place, yaw, _rectangle(x - 0.055, 0, x + 0.055, 0.02), 0.08), _shade(shoe, 1.8))
        )
    if rng.random() < 0.6:
        faces.append(Face(_upright(place, yaw, _rectangle(-0.22, 0.75, 0.22, 1.6)), any_color(rng)))
    return faces


def round_thing(place: Points, rng: np.random.Generator) -> list[Face]:
    """A bottle, a bucket, a ball or a bin."""
    half, high = np.exp(rng.uniform(np.log(0.025), np.log(0.18))), rng.uniform(0.05, 0.5)
    color, yaw = any_color(rng), 0.0
    if rng.random() < 0.3:
        ball = [
            (_round(0, half, half, half), 0.8),
            (_round(-0.2 * half, 1.3 * half, 0.5 * half, 0.5 * half), 1.2),
        ]
        return [Face(_upright(place, yaw, outline), _shade(color, light)) for outline, light in ball]
    faces = [Face(_upright(place, yaw, _rectangle(-half, 0, half, high)), _shade(color, 0.75))]
    faces.append(Face(_upright(place, yaw, _rectangle(-half * 0.6, 0, half * 0.3, high)), color))
    faces.append(
        Face(_upright(place, yaw, _round(0, high, half, half * 0.15)), _shade(color, rng.uniform(0.3, 1.3)))
    )
    if rng.random() < 0.5:
        low = rng.uniform(0.2, 0.5) * high
        faces.append(
            Face(_upright(place, yaw, _rectangle(-half, low, half, low + 0.3 * high)), any_color(rng))
        )
    return faces


def furniture(place: Points, rng: np.random.Generator) -> list[Face]:
    """A chair or a table: legs and what they carry."""
    wide, deep, high = rng.uniform(0.35, 1.2), rng.uniform(0.35, 0.7), rng.uniform(0.35, 0.75)
    thick, color, yaw = rng.uniform(0.02, 0.05), any_color(rng), rng.uniform(-0.7, 0.7)
    turn = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    faces = []
    for x, y in ((-1, 1), (1, 1), (-1, -1), (1, -1)):
        at = place + np.array([x * wide, y * deep]) / 2 @ turn
        faces += cuboid(at, yaw, (thick, thick, high), color)
    plate = cuboid(place, yaw, (wide, deep, 0.05), any_color(rng))
    faces += [Face(face.corners + np.array([0, 0, high]), face.color) for face in plate]
    return faces


def pile(place: Points, rng: np.random.Generator) -> list[Face]:
    """Bags, tools, clothes: rounded outlines that nothing describes."""
    faces = []
    for _ in range(int(rng.integers(1, 6))):
        turns = np.linspace(0, math.pi, 11)
        reach = 1 + np.interp(turns, np.linspace(0, math.pi, 5), rng.normal(0, 0.2, 5))
        wide, high, x = rng.uniform(0.05, 0.25), rng.uniform(0.06, 0.4), rng.normal(0, 0.15)
        outline = [(x + wide * r * math.cos(t), high * r * math.sin(t)) for t, r in zip(turns, reach)]
        faces.append(Face(_upright(place, 0.0, outline, rng.uniform(0, 0.2)), any_color(rng)))
    return faces


def boards(middle: Points, rng: np.random.Generator) -> Iterator[Thing]:
    """Low walls along the track: boards, foam, bricks or hoses."""
    high, thick = np.exp(rng.uniform(np.log(0.03), np.log(0.3))), rng.uniform(0.005, 0.06)
    color = any_color(rng) if rng.random() < 0.5 else _shade((200.0, 205.0, 210.0), rng.uniform(0.5, 1.2))
    off, length = rng.uniform(0.25, 1.3), max(2, round(rng.uniform(0.3, 1.6) / 0.04))
    ahead = np.gradient(middle, axis=0)
    ahead /= np.hypot(ahead[:, 0], ahead[:, 1])[:, None]
    right = np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
    for side in (-1, 1) if rng.random() < 0.6 else (int(rng.choice([-1, 1])),):
        line = middle + right * off * side
        for start in range(0, len(line) - length, length):
            if rng.random() < 0.94:
                yield _board(
                    line[start], line[start + length], high, thick, _shade(color, rng.uniform(0.9, 1.05))
                )
    if rng.random() < 0.6:  # across, where the track bends
        y = rng.uniform(0.35, 2.5)
        slope = rng.normal(0, 0.35)
        ends = [np.array([x, y + slope * x]) for x in np.arange(-2.4, 2.5, length * 0.04)]
        for a, b in pairwise(ends):
            yield _board(a, b, high, thick, _shade(color, rng.uniform(0.9, 1.05)))


def _board(a: Points, b: Points, high: float, thick: float, color: Color) -> Thing:
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    middle = (a + b) / 2
    faces = cuboid(middle, yaw, (float(np.hypot(*(b - a))) * 0.995, thick, high), color)
    nearest = min((a, b, middle), key=lambda point: float(np.hypot(*point)))
    return Thing(tuple(faces), (float(nearest[0]), float(nearest[1])))


MAKERS: tuple[tuple[float, Callable[[Points, np.random.Generator], list[Face]]], ...] = (
    (3.0, box),
    (1.5, cone),
    (2.0, sign),
    (1.0, feet),
    (2.0, round_thing),
    (1.0, furniture),
    (2.0, pile),
)


def drawn(
    middle: Points, walls_m: tuple[float, float, float, float], rng: np.random.Generator
) -> list[Thing]:
    """All things on the floor, the farthest first; ``walls_m`` as a Room has them."""
    weights = np.array([weight for weight, _ in MAKERS])
    things = list(boards(middle, rng)) if rng.random() < 0.35 else []
    right, left, ahead, _ = walls_m
    count = int(rng.poisson(2.5)) + (int(rng.poisson(9)) if rng.random() < 0.5 else 0)
    for _ in range(count):
        x, y = rng.uniform(-min(left, 3.0), min(right, 3.0)), rng.uniform(0.25, min(ahead, 4.5))
        if abs(x) < 0.25 and y < 0.8 and rng.random() < 0.85:
            continue
        maker = MAKERS[int(rng.choice(len(weights), p=weights / weights.sum()))][1]
        things.append(Thing(tuple(maker(np.array([x, y]), rng)), (float(x), float(y))))
    if rng.random() < 0.4:  # clutter in a row, along a wall
        y, slope = rng.uniform(0.8, 2.8), rng.normal(0, 0.4)
        for x in np.arange(-2.5, 2.5, rng.uniform(0.2, 0.6)):
            maker = (box, pile, round_thing, box)[int(rng.integers(4))]
            place = np.array([x + rng.normal(0, 0.1), y + slope * x])
            if place[1] > 0.4:
                things.append(Thing(tuple(maker(place, rng)), (float(place[0]), float(place[1]))))
    return sorted(things, key=lambda thing: -thing.away_m)
