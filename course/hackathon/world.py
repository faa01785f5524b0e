"""World: a floor with tape and signs on it, as the camera of a small car sees it from any place.

The floor is one map from above, and what the camera sees of it is looked up there. Positions are (x, y) in
metres, headings are rad to the left of the x axis. A car starts in the middle of its lane, along x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from course.artwork import SIDE, Drawing
from perception.frames import Frame
from training.datasets.rendered_tracks import LABELS
from training.datasets.tracks import rooms
from training.datasets.tracks.camera import Camera
from training.datasets.tracks.solids import OBJECT_WITHIN_M

SIZE_HW = (240, 320)
CAMERA = Camera.of_view(SIZE_HW, view=1.25, wide=1e-3, height_m=0.18, pitch=0.25)
FLOOR, LINE, OBJECT, ELSEWHERE = range(len(LABELS))  # a pixel beyond the map is floor
LANE_M, TAPE_M, STOP_LINE_M = 0.37, 0.025, 0.03  # width of the lane, of its tapes, and of a stop line
SIGN_M, POST_M = 0.13, 0.10  # a printed sign, and how high its lower edge is
_POST_WIDTH_M = 0.012
_PER_M, _LEFT_M, _BEHIND_M, _SPAN_M = 240, 4.5, 1.0, 8.0  # of the map
_FAR_M = 6.0  # where the wall begins
_TAPE = (240.0, 240.0, 240.0)

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Where a car is."""

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0


@dataclass(frozen=True)
class Board:
    """A printed sign on a post that looks back along x.

    Attributes:
        drawing: its artwork.
        x: where its foot is, m.
        y: the same, to the left.
    """

    drawing: Drawing
    x: float
    y: float


@dataclass(frozen=True)
class Track:
    """What a car drives on.

    Attributes:
        bend: of the lane, 1/m to the left, from one metre on.
        stop_m: how far along x a stop line is; None without one.
        boards: signs beside it.
        floor: BGR, its mean colour.
        stripes: contrast of broad stripes in the floor, 0…1.
        rough: contrast of its grain, 0…1.
    """

    bend: float = 0.0
    stop_m: float | None = None
    boards: Sequence[Board] = field(default_factory=tuple)
    floor: tuple[float, float, float] = (110.0, 112.0, 115.0)
    stripes: float = 0.0
    rough: float = 0.06


class World:
    """A track, ready to be looked at.

    Args:
        track: what is on the floor.
        seed: of the floor's grain and the camera's noise.
    """

    def __init__(self, track: Track, *, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        self._signs = [(board, _artwork(board.drawing)) for board in track.boards]
        size = (round(2 * _LEFT_M * _PER_M), round(_SPAN_M * _PER_M))
        self._colors, self._ids = _floor(track, size, self._rng), np.full(size, FLOOR, np.uint8)
        for path, width_m in _tapes(track):
            pixels = np.rint(_on_map(path) * 16).astype(np.int32)
            for layer, value in ((self._colors, _TAPE), (self._ids, (LINE,))):
                cv2.polylines(layer, [pixels], False, value, round(width_m * _PER_M), cv2.LINE_8, 4)
        x, y, z = CAMERA.rays()
        times = np.minimum(CAMERA.height_m / np.maximum(-z, 1e-6), _FAR_M)
        self._ahead, self._left = times * y, -times * x  # of the floor that each pixel shows
        self._is_floor = (z < 0) & (self._ahead < 0.99 * _FAR_M)
        self._rays, self._room = (x, y, z), rooms.drawn(self._rng)

    def seen(self, pose: Pose) -> tuple[Frame, NDArray[np.uint8]]:
        """What the camera sees.

        Returns:
            Frame (H, W, 3) uint8 BGR, and its true mask (H, W) uint8, ids of LABELS.
        """
        cos, sin = math.cos(pose.heading), math.sin(pose.heading)
        places = np.stack(
            [pose.x + cos * self._ahead - sin * self._left, pose.y + sin * self._ahead + cos * self._left],
            axis=-1,
        )
        at = _on_map(places.reshape(-1, 2)).reshape(*SIZE_HW, 2).astype(np.float32)
        across, down = at[..., 0], at[..., 1]
        colors = cv2.remap(self._colors, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
        frame = colors.astype(np.float32)
        ids = np.asarray(cv2.remap(self._ids, across, down, cv2.INTER_NEAREST, None), np.uint8)
        frame[~self._is_floor], ids[~self._is_floor] = self._walls(pose)[~self._is_floor], ELSEWHERE
        for board, art in sorted(self._signs, key=lambda sign: -sign[0].x):
            _stand(frame, ids, board, art, pose)
        noisy = cv2.GaussianBlur(frame, (0, 0), 0.6) + self._rng.normal(0, 3, frame.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8), ids

    def _walls(self, pose: Pose) -> NDArray[np.uint8]:
        """What is behind the floor: a room that turns with the car, and is too far away to come nearer."""
        right, ahead, up = self._rays
        cos, sin = np.float32(math.cos(pose.heading)), np.float32(math.sin(pose.heading))
        times, place = self._room.meet(cos * right - sin * ahead, sin * right + cos * ahead)
        return self._room.paper(place, np.abs(np.float32(CAMERA.height_m) + times * up))


def middle(track: Track) -> Points:
    """(N, 2) the middle of the lane: straight for a metre, and along an arc from there."""
    step = 0.02
    along = np.arange(-_BEHIND_M, 6.0, step)
    heading = np.maximum(along - 1.0, 0.0) * track.bend
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * step
    return np.asarray(np.cumsum(steps, axis=0) + np.array([-_BEHIND_M, 0.0]), np.float64)


def _tapes(track: Track) -> list[tuple[Points, float]]:
    """Each tape on the floor and its width."""
    lane = middle(track)
    ahead = np.gradient(lane, axis=0)
    left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.hypot(*ahead.T)[:, None]
    tapes = [(lane + left * side * LANE_M / 2, TAPE_M) for side in (-1, 1)]
    if track.stop_m is not None:
        ends = np.array([[track.stop_m, side * LANE_M / 2] for side in (-1, 1)])
        tapes.append((ends, STOP_LINE_M))
    return tapes


def _floor(track: Track, size: tuple[int, int], rng: np.random.Generator) -> Frame:
    """The map without tape: grain at several sizes, and stripes askew."""
    height, width = size
    grain = sum(
        cv2.resize(rng.normal(0, 1, (height // cell, width // cell)).astype(np.float32), (width, height))
        for cell in (2, 6, 40)
    )
    y, x = np.mgrid[:height, :width] / _PER_M
    stripes = np.sign(np.sin((x + 0.6 * y) * 2 * math.pi / 0.5))
    factor = 1 + track.rough * np.asarray(grain) + track.stripes * stripes
    return np.asarray(np.clip(factor[..., None] * np.array(track.floor), 0, 255), np.uint8)


def _artwork(drawing: Drawing) -> Frame:
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    drawing(picture)
    return picture


def _on_map(places: Points) -> Points:
    """(N, 2) px of the map, x first; its first row is the leftmost."""
    return (places * (1, -1) + (_BEHIND_M, _LEFT_M)) * _PER_M


def _stand(frame: NDArray[np.float32], ids: NDArray[np.uint8], board: Board, art: Frame, pose: Pose) -> None:
    """Draw a sign on its post where the car sees it."""
    low, half = POST_M, SIGN_M / 2
    sides = [board.y + half, board.y - half, board.y - half, board.y + half]  # left to right as it is read
    heights = [low + SIGN_M, low + SIGN_M, low, low]
    corners = [(board.x, side, height) for side, height in zip(sides, heights)]
    foot = [(board.x, board.y, 0.0), (board.x, board.y, low)]
    places, in_front = CAMERA.project(np.array([_from(pose, *point) for point in (*corners, *foot)]))
    if not in_front.all():
        return
    width = max(1, round(_POST_WIDTH_M / SIGN_M * float(np.hypot(*(places[1] - places[0])))))
    ends = [(round(x), round(y)) for x, y in places[4:].tolist()]
    label = OBJECT if board.x - pose.x < OBJECT_WITHIN_M else ELSEWHERE
    cv2.line(frame, ends[0], ends[1], (90.0, 90.0, 90.0), width)
    cv2.line(ids, ends[0], ends[1], label, width)
    square = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    turn = cv2.getPerspectiveTransform(square, places[:4].astype(np.float32))
    # Averaged first, because a warp of a large picture to a small one drops most of its pixels.
    blur = cv2.GaussianBlur(art, (0, 0), max(0.3, 0.4 * SIDE / max(4.0, float(np.ptp(places[:4, 0])))))
    size = (SIZE_HW[1], SIZE_HW[0])
    cover = cv2.warpPerspective(np.ones((SIDE, SIDE), np.float32), turn, size)[..., None]
    frame[:] = frame * (1 - cover) + cv2.warpPerspective(blur.astype(np.float32), turn, size)
    ids[cover[..., 0] > 0.5] = label


def _from(pose: Pose, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A point of the world as the camera has it: to the right, ahead, up."""
    dx, dy = x - pose.x, y - pose.y
    cos, sin = math.cos(pose.heading), math.sin(pose.heading)
    return sin * dx - cos * dy, cos * dx + sin * dy, z
