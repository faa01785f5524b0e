"""A team that keeps its lane, halts before stop lines and obeys one speed sign, with the shipped models."""

import math
from typing import Any

import numpy as np

import perception
from course.hackathon.world import CAMERA
from perception.ground.steady import GroundFollower
from training.datasets.tracks.calibration import calibrated

FAST, SLOW = 0.5, 0.2  # m/s
HALT_M, BRAKE_M = 0.33, 0.8  # from the lens to the stop line
AHEAD_M = 0.5

segment: Any = perception.load("models/track.onnx")
find: Any = perception.load("models/sign_detector.onnx")
classify: Any = perception.load("models/signs.onnx")
read, tracker = perception.SignReader(find, classify), perception.SignTracker(classify.spec)
ground = GroundFollower(
    perception.Ground(calibrated(CAMERA), height_m=CAMERA.height_m, pitch_deg=math.degrees(CAMERA.pitch)),
    ahead_m=AHEAD_M,
)
limited = False


def drive(frame: np.ndarray, time_s: float) -> tuple[float, float]:
    """Pure pursuit of the lane's middle, at a speed that signs and stop lines allow."""
    global limited  # noqa: PLW0603  # what was seen once holds on
    stamp_ns = 1_700_000_000_000_000_000 + round(time_s * 1e9)
    floor = ground.update(segment(frame), stamp_ns)
    tracks = tracker.update(read(frame), stamp_ns)
    limited = limited or any(track.is_confirmed and track.label == "Speed limit 30" for track in tracks)
    speed = SLOW if limited else FAST
    curvature = 0.0
    if floor.lane is not None:
        curvature = 2 * floor.lane.offset_m / (floor.lane.offset_m**2 + AHEAD_M**2)
    if floor.stop_line.state == "seen":
        left_m = floor.stop_line.distance_m - HALT_M
        speed = 0.0 if left_m <= 0 else speed * min(1.0, max(0.2, left_m / (BRAKE_M - HALT_M)))
    return speed, curvature
