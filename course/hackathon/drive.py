"""Drive a heat of the hackathon without a car, and record what its camera saw.

    python -m course.hackathon.drive 1_stop_line --team course/hackathon/baseline.py --out out/heat

A team is a Python file with a function ``drive(frame, time_s)``, which gets each picture (240, 320, 3) uint8
BGR and the seconds since the start, and gives the speed in m/s and the curvature in 1/m, to the left. The bag
has the pictures, and what is true in each of them (/truth/segmentation/mask).
"""

from __future__ import annotations

import argparse
import json
import math
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from course.hackathon.tasks import TASKS, Task
from course.hackathon.world import Pose, World
from perception import pictures, topics
from perception.errors import InputError, PerceptionError
from perception.frames import Frame
from perception.paths import writing
from perception.recordings.bag import BagWriter
from perception.recordings.results import header, make, stored
from training.datasets.rendered_tracks import LABELS, PALETTE

RATE_HZ = 10
IMAGES, MASKS = "/camera/image_raw/compressed", "/truth/segmentation/mask"
_START_NS = 1_700_000_000_000_000_000
_FASTEST, _TIGHTEST, _ACCELERATION = 1.0, 2.5, 1.5  # m/s, 1/m, m/s²
_QUALITY = 90  # of the JPEG
_EVERY = 10  # of how many frames one is kept to learn from

Team = Callable[[Frame, float], tuple[float, float]]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--team", type=Path, required=True, metavar="FILE.py", help="who drives")
    parser.add_argument("--out", type=Path, required=True, metavar="BAG", help="the bag to make")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the room, and of the floor's grain; judged is 0 (default)"
    )
    parser.add_argument(
        "--frames",
        type=Path,
        metavar="FOLDER",
        help="write every tenth frame and its mask here, to learn from",
    )
    options = parser.parse_args(arguments)
    try:
        team = team_of(options.team)
        if options.frames and options.frames.exists():
            raise InputError(f"{options.frames} exists already; remove it or write elsewhere")
        frames = heat(TASKS[options.task], team, options.out, seed=options.seed, frames=options.frames)
    except (PerceptionError, OSError) as error:
        print(f"drive: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {frames} frames")
    return 0


def team_of(path: Path) -> Team:
    """The function ``drive`` of a file.

    Raises:
        InputError: there is no such file, or no such function in it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    drive = runpy.run_path(str(path)).get("drive")
    if not callable(drive):
        raise InputError(f"{path} has no function drive(frame, time_s)")
    return cast(Team, drive)


def frames_folder(path: Path) -> None:
    """Make a folder for frames and masks, as the training reads them.

    Raises:
        OSError: it cannot be made.
    """
    for name in ("images", "masks"):
        (path / name).mkdir(parents=True)
    classes = [{"name": label, "color": color} for label, color in zip(LABELS, PALETTE)]
    with writing(path):
        (path / "classes.json").write_text(json.dumps(classes), encoding="utf-8")


def heat(task: Task, team: Team, bag_path: Path, *, seed: int = 0, frames: Path | None = None) -> int:
    """Drive a heat and record it.

    Args:
        task: what is driven.
        team: who drives.
        bag_path: the bag to make; it must not exist yet.
        seed: of the world.
        frames: folder to make, with images/ and masks/ for every tenth frame; None for none.

    Returns:
        How many frames it has.

    Raises:
        InputError: the bag exists, or the team answers with something else than two numbers.
        OSError: the disk is full, or a folder cannot be made.
    """
    world, pose, speed = World(task.track, seed=seed), Pose(), 0.0
    count = round(task.seconds * RATE_HZ)
    with _whole(bag_path, frames), BagWriter(bag_path) as bag:
        if frames is not None:
            frames_folder(frames)
        for index in range(count):
            frame, mask = world.seen(pose)
            _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            _record(bag, np.asarray(jpeg, np.uint8).reshape(-1), mask, index)
            if frames is not None and index % _EVERY == 0:
                pictures.write(frames / "images" / f"{index:03d}.png", frame)
                pictures.write(frames / "masks" / f"{index:03d}.png", mask)
            # The team sees what the judges will see.
            seen = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
            wanted, curvature = _answer(team(seen, index / RATE_HZ))
            change = _ACCELERATION / RATE_HZ
            speed += min(max(wanted - speed, -change), change)
            pose = _moved(pose, speed / RATE_HZ, curvature)
    return count


@contextmanager
def _whole(*folders: Path | None) -> Iterator[None]:
    """Remove what a heat that breaks off has made, so that the next try may have the same names."""
    new = [folder for folder in folders if folder is not None and not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in new:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _answer(answer: Any) -> tuple[float, float]:
    """Speed and curvature, as far as the car can do that."""
    try:
        speed, curvature = (float(value) for value in answer)
    except (TypeError, ValueError) as error:
        raise InputError(f"drive(frame, time_s) gave {answer!r}; return (speed, curvature)") from error
    if not (math.isfinite(speed) and math.isfinite(curvature)):
        raise InputError(f"drive(frame, time_s) gave {answer!r}; both numbers have to be finite")
    return min(max(speed, 0.0), _FASTEST), min(max(curvature, -_TIGHTEST), _TIGHTEST)


def _moved(pose: Pose, metres: float, curvature: float) -> Pose:
    turned = metres * curvature
    heading = pose.heading + turned / 2
    return Pose(
        pose.x + metres * math.cos(heading), pose.y + metres * math.sin(heading), pose.heading + turned
    )


def _record(bag: BagWriter, jpeg: NDArray[np.uint8], mask: NDArray[np.uint8], index: int) -> None:
    time_ns = _START_NS + index * 10**9 // RATE_HZ
    own = header(time_ns, "camera")
    truth = topics.image(make, mask, "mono8", own)
    bag.write(MASKS, truth, time_ns, qos=stored(topics.RELIABLE))
    image = make(topics.COMPRESSED_IMAGE, header=own, format="jpeg", data=jpeg)
    bag.write(IMAGES, image, time_ns, qos=stored(topics.RELIABLE))


if __name__ == "__main__":
    sys.exit(main())
