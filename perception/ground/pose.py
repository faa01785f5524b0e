"""Pose: how a camera is above the floor, out of one picture of a checkerboard or of a straight lane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from perception.errors import CameraError, InputError
from perception.frames import Frame, check
from perception.ground import LINES
from perception.ground.camera import Camera, Points
from perception.ground.floor import Pose
from perception.segmentation import RoadMask

_LEAST_ROWS = 12  # of pixels that show both lines
_LEAST_CORNERS = 6  # four give the pose; two more, and one that is off does not decide it
_STRAIGHT = 0.012  # of the focal length; edges of straight tape are no further off a straight line


@dataclass(frozen=True)
class Found:
    """A pose, and how well the picture agrees with it.

    Attributes:
        pose: how the camera is above the floor.
        off_px: how far corners, or edges of lines, are from where it has them, root mean square.
    """

    pose: Pose
    off_px: float


def of_board(frame: Frame, camera: Camera, corners: tuple[int, int], square_m: float) -> Found:
    """From a checkerboard that is flat on the floor.

    Args:
        frame: (H, W, 3) uint8 BGR, of the size for which the camera is calibrated, or scaled.
        camera: that took it.
        corners: inner corners in a row and in a column, such as (8, 6) of a board of 9x7 squares.
        square_m: side of a square.

    Raises:
        CameraError: the picture is not the camera's, or no camera is so above a floor.
        InputError: there is no such board in it.
        FrameError: the frame is not such an array.
    """
    check(frame)
    camera = camera.scaled((frame.shape[0], frame.shape[1]))
    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
    is_found, pixels = cv2.findChessboardCornersSB(gray, corners, flags=flags)
    if not is_found:
        columns, rows = corners
        raise InputError(
            f"no board with {columns}x{rows} inner corners found; lay all of it on the floor in full view, "
            "without glare, and count the corners at which four squares meet"
        )
    seen = np.asarray(pixels, np.float64).reshape(-1, 2)
    across, along = np.meshgrid(np.arange(corners[0]), np.arange(corners[1]))
    corner = np.column_stack([across.ravel(), along.ravel(), np.zeros(across.size)])
    board: Points = np.asarray(corner * square_m, np.float64)
    slopes = camera.slopes(seen)
    known = np.isfinite(slopes).all(axis=1)
    if known.sum() < _LEAST_CORNERS:
        raise CameraError(
            f"camera: its calibration describes the lens at {known.sum()} of {len(seen)} corners of the "
            "board; calibrate it again, or lay the board nearer to the middle of the picture"
        )
    rays, board, seen = slopes[known].reshape(-1, 1, 2), board[known], seen[known]
    straight = np.eye(3)
    is_solved, turn, place = cv2.solvePnP(board, rays, straight, None, flags=cv2.SOLVEPNP_IPPE)
    if not is_solved:
        raise InputError("the board's corners do not lie in a plane; lay it flat, and take the picture again")
    turn, place = cv2.solvePnPRefineLM(board, rays, straight, None, turn, place)
    matrix = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
    away = np.asarray(place, np.float64).ravel()
    down = matrix[:, 2] * math.copysign(1.0, float(matrix[:, 2] @ away))
    off = camera.pixels(board @ matrix.T + away) - seen
    return Found(Pose.of_down(down, float(down @ away)), float(np.sqrt(np.mean(np.sum(off**2, axis=1)))))


def of_lane(mask: RoadMask, camera: Camera, width_m: float, *, lines: Sequence[str] = LINES) -> Found:
    """From a straight lane of known width; the camera is taken not to lean to a side.

    Both lines give the point at which they seem to meet, and so the pitch; how far apart they are then gives
    the height.

    Args:
        mask: of the picture, at its size; the car is between two lines.
        camera: that took it.
        width_m: of the lane, from the inner edge of one line to that of the other.
        lines: labels of lines.

    Raises:
        CameraError: the picture is not the camera's, or no camera is so above a floor.
        InputError: there are no two straight lines in it.
    """
    camera = camera.scaled((int(mask.class_ids.shape[0]), int(mask.class_ids.shape[1])))
    left, right = (_straight(camera.slopes(edge), camera) for edge in _inner_edges(mask, lines))
    # A line on the floor and the lens lie in a plane; both planes share the direction of the lane.
    normals = [np.array([1.0, -slope, -shift]) for shift, slope, _ in (left, right)]
    ahead = np.cross(normals[0], normals[1])
    ahead *= math.copysign(1.0, ahead[2]) / np.linalg.norm(ahead)
    pitch = math.atan2(-ahead[1], ahead[2])
    down = np.array([0.0, math.cos(pitch), math.sin(pitch)])
    aside = np.cross(ahead, down)
    places = [float(-(normal @ down) / (normal @ aside)) for normal in normals]  # in heights of the lens
    off_px = camera.K[0] * math.hypot(left[2], right[2]) / math.sqrt(2)
    return Found(Pose(width_m / abs(places[0] - places[1]), math.degrees(pitch)), off_px)


def _inner_edges(mask: RoadMask, lines: Sequence[str]) -> tuple[Points, Points]:
    """Pixels of the left line's right edge and of the right line's left edge, (N, 2), row by row."""
    ids = [mask.labels.index(label) for label in lines if label in mask.labels]
    lined = np.isin(mask.class_ids, ids)
    height, width = lined.shape
    middle = width / 2
    left: list[tuple[float, float]] = []
    right: list[tuple[float, float]] = []
    for row in range(height - 1, -1, -1):
        columns = np.flatnonzero(lined[row])
        before, after = columns[columns < middle], columns[columns >= middle]
        if not (len(before) and len(after)):
            continue
        a, b = float(before[-1]) + 0.5, float(after[0]) - 0.5
        if left and (b - a < 3 or abs(a - left[-1][0]) + abs(b - right[-1][0]) > 0.1 * width):
            break  # where they meet, or another line
        left.append((a, float(row)))
        right.append((b, float(row)))
        middle = (a + b) / 2
    if len(left) < _LEAST_ROWS:
        raise InputError(
            f"only {len(left)} rows of pixels show a line on both sides; put the car between the lines of "
            "a straight lane, and take a model that sees lines (--segmentation)"
        )
    return np.array(left), np.array(right)


def _straight(slopes: Points, camera: Camera) -> tuple[float, float, float]:
    """Shift and slope of the line x = shift + slope · y through rays, and how far they are off it.

    Rays far off count less and less (iteratively reweighted least squares with Cauchy's weights).
    """
    known = slopes[np.isfinite(slopes).all(axis=1)]
    if len(known) < _LEAST_ROWS:
        raise CameraError(
            f"camera: its calibration describes the lens at {len(known)} of {len(slopes)} places of a line; "
            "calibrate it again"
        )
    x, y = known.T
    weights = np.ones(len(x))
    fitted = np.zeros(2)
    powers = np.column_stack([np.ones(len(x)), y])
    for _ in range(10):
        weighted = powers * weights[:, None]
        fitted = np.linalg.lstsq(weighted.T @ powers, weighted.T @ x, rcond=None)[0]
        off = x - powers @ fitted
        scale = max(float(np.median(np.abs(off))), 0.2 / camera.K[0])
        weights = 1 / (1 + (off / (2 * scale)) ** 2)
    rms = float(np.sqrt(np.average(off**2, weights=weights)))
    if float(np.median(np.abs(off))) > _STRAIGHT:
        raise InputError("the lines are not straight; take a picture of a straight lane")
    return float(fitted[0]), float(fitted[1]), rms
