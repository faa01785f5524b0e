"""How exactly a lane and a stop line are measured, on rendered tracks, whose truth is known.

    python -m scripts.ground_truth models/track.onnx --scenes 100
    python -m scripts.ground_truth models/track.onnx --scenes 3 --picture GROUND.jpg

Each scene has any floor, room, light, clutter and camera, as the training has them, and one lane between two
tapes, half of them with a stop line. Printed are the errors of the exact mask, and of the model's own, at
0.5 m ahead of the point below the lens. Only scenes count in which the camera shows both edges there.
GROUND.jpg shows the last scene, and what the model's mask gives.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import cv2
import numpy as np

import perception
from perception.frames import Frame
from perception.ground.steady import GroundFollower
from perception.segmentation import RoadMask
from training.datasets.rendered_tracks import LABELS, PALETTE
from training.datasets.tracks import camera as cameras
from training.datasets.tracks import lamps, light, lines, scene, things
from training.datasets.tracks.calibration import calibrated
from training.datasets.tracks.lines import Points, Stroke
from training.datasets.tracks.surfaces import Under

SIZE_HW, LARGE_HW = (240, 320), (480, 640)
AHEAD_M = 0.5


@dataclass(frozen=True)
class Truth:
    """A picture, its exact mask, and what is to be measured in it; None where there is no stop line."""

    frame: Frame
    mask: RoadMask
    ground: perception.Ground
    left_m: float
    stop_m: float | None


@dataclass
class Score:
    """What one kind of mask gave.

    Attributes:
        offsets: errors, m.
        stops: errors, m.
        lanes: scenes.
        lines: scenes with a stop line.
        bare: scenes without one.
        false: stop lines seen in these.
    """

    offsets: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    lanes: int = 0
    lines: int = 0
    bare: int = 0
    false: int = 0

    def add(self, mask: RoadMask, truth: Truth) -> None:
        """Measure one scene."""
        way = truth.ground.corridor(mask)
        lane, stop = way.lane(AHEAD_M), truth.ground.stop_line(mask, way)
        self.lanes += 1
        if lane is not None:
            self.offsets.append(lane.offset_m - truth.left_m)
        if truth.stop_m is None:
            self.bare += 1
            self.false += stop.state == "seen"
        else:
            self.lines += 1
            if stop.state == "seen":
                self.stops.append(stop.distance_m - truth.stop_m)

    def text(self) -> str:
        """One line for each of the two."""
        return "\n".join(
            f"    {name}: {len(errors)} of {count} known; {_errors(errors, within)}{more}"
            for name, errors, count, within, more in (
                ("lane", self.offsets, self.lanes, 0.01, ""),
                (
                    "stop line",
                    self.stops,
                    self.lines,
                    0.02,
                    f"; {self.false} seen in {self.bare} without one",
                ),
            )
        )


def main() -> None:
    """Print the errors of both kinds of masks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    exact, own = Score(), Score()
    with perception.load(options.model, device="cpu") as segment:
        for truth in scenes(options.scenes, LARGE_HW if options.picture else SIZE_HW):
            mask = cast(RoadMask, segment(truth.frame))
            exact.add(truth.mask, truth)
            own.add(mask, truth)
        if options.picture:
            follow = GroundFollower(truth.ground)
            known = [follow.update(mask, stamp_ns) for stamp_ns in range(2)][
                -1
            ]  # a line counts from the 2nd on
            shown = known.overlay(mask.overlay(truth.frame, alpha=0.25, legend=False))
            cv2.imwrite(str(options.picture), shown, (cv2.IMWRITE_JPEG_QUALITY, 85))
    print(f"exact masks, {options.scenes} scenes\n{exact.text()}\n{options.model.name}\n{own.text()}")


def scenes(count: int, size_hw: tuple[int, int] = SIZE_HW) -> Iterator[Truth]:
    """So many scenes that show both edges of the lane at the look-ahead distance; always the same."""
    seed = 0
    while count:
        truth = _scene(np.random.default_rng(seed), size_hw)
        seed += 1
        if truth is not None:
            count -= 1
            yield truth


def _scene(rng: np.random.Generator, size_hw: tuple[int, int]) -> Truth | None:
    seen_by, middle = cameras.drawn(size_hw, rng), lines.path(rng)
    lane_m, tape_m = rng.uniform(0.25, 0.5), rng.uniform(0.015, 0.05)
    if (middle[:, 1].max() < 1.2) or not _shows(seen_by, middle, lane_m):
        return None
    under = Under.drawn(rng)
    shade = lines.color(rng, under.floor.color)
    aside = lines.normals(middle)
    strokes = [Stroke.along(middle + aside * lane_m / 2 * side, tape_m, shade) for side in (-1, 1)]
    stop_m = None
    if rng.random() < 0.5:
        at = int(np.argmin(np.abs(middle[:, 1] - rng.uniform(0.35, 0.8))))
        half, thick_m = aside[at] * lane_m / 2, rng.uniform(0.02, 0.05)
        across = lines.straight(middle[at] - half, middle[at] + half)
        strokes.append(Stroke.along(across, thick_m, shade))
        stop_m = float(middle[at, 1] - thick_m / 2 / max(0.5, aside[at, 0]))
    on_floor = [thing for thing in things.drawn(middle, under.room.walls_m, rng) if thing.away_m > 1.0]
    drawn = scene.Scene(seen_by, under, strokes, on_floor, lamps.drawn(rng))
    ideal, ids = scene.picture(drawn, rng)
    mask = RoadMask(ids, np.where(ids < len(LABELS), np.uint8(255), np.uint8(0)), LABELS, PALETTE)
    measured = perception.Ground(
        calibrated(seen_by),
        height_m=seen_by.height_m,
        pitch_deg=math.degrees(seen_by.pitch),
        roll_deg=-math.degrees(seen_by.roll),
    )
    frame = light.seen(light.exposed(ideal, rng), rng)
    return Truth(frame, mask, measured, -float(np.interp(AHEAD_M, middle[:, 1], middle[:, 0])), stop_m)


def _shows(seen_by: cameras.Camera, middle: Points, lane_m: float) -> bool:
    """Whether both edges are in the picture at the look-ahead distance, and the car is between them."""
    x = float(np.interp(AHEAD_M, middle[:, 1], middle[:, 0]))
    edges = np.array([[x - lane_m / 2, AHEAD_M, 0.0], [x + lane_m / 2, AHEAD_M, 0.0]])
    pixels, in_front = seen_by.project(edges)
    height, width = seen_by.size_hw
    is_seen = in_front.all() and (pixels > 0).all() and (pixels < (width, height)).all()
    return bool(is_seen and abs(np.interp(0.2, middle[:, 1], middle[:, 0])) < lane_m / 2 - 0.05)


def _errors(errors: list[float], within: float) -> str:
    if not errors:
        return "no errors"
    off = np.abs(errors)
    share = float((off <= within).mean())
    middle, most = np.quantile(off, (0.5, 0.9)) * 1000
    return f"off by {middle:.1f} mm at p50, {most:.1f} mm at p90; {share:.0%} within {within * 100:.0f} cm"


if __name__ == "__main__":
    main()
