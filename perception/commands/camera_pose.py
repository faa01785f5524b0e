"""Camera pose: how a camera is above the floor, out of one picture."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import cast

import perception
from perception import pictures
from perception.commands.options import positive
from perception.errors import InputError, WrongTaskError
from perception.ground import Camera, pose
from perception.paths import model_file
from perception.segmentation import RoadMask


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("picture", type=Path, help="picture of the camera, as it is on the car")
    parser.add_argument(
        "--camera",
        required=True,
        type=Path,
        metavar="FILE",
        help="its calibration, as camera_calibration writes it",
    )
    shown = parser.add_mutually_exclusive_group(required=True)
    shown.add_argument(
        "--board", type=_corners, metavar="8x6", help="a checkerboard with so many inner corners on the floor"
    )
    shown.add_argument(
        "--lane", type=positive, metavar="METRES", help="a straight lane, so wide between its lines"
    )
    parser.add_argument("--square", type=positive, metavar="METRES", help="side of the board's squares")
    parser.add_argument(
        "--segmentation", default="track", metavar="MODEL", help="what finds the lines (default: track)"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Find the pose, and print it as the parameters of the node.

    Raises:
        InputError: the picture cannot be read, or does not show what it should.
        CameraError: the calibration cannot be used, or does not fit.
        ModelError: the model cannot be used.
    """
    if (options.square is None) != (options.board is None):
        raise InputError("--square is the side of the squares of --board; give both, or --lane")
    camera = Camera.read(options.camera)
    frame = pictures.read(options.picture)
    if options.board is not None:
        found = pose.of_board(frame, camera, options.board, options.square)
    else:
        path = model_file(options.segmentation, "track.onnx")
        with perception.load(path, device="cpu") as segment:
            if segment.spec.task != "segmentation":
                raise WrongTaskError(f"{path}: a model for {segment.spec.task!r} finds no lines; give track")
            found = pose.of_lane(cast(RoadMask, segment(frame)), camera, options.lane)
    print(f"camera_height_m: {found.pose.height_m:.4f}")
    print(f"camera_pitch_deg: {found.pose.pitch_deg:.2f}")
    print(f"camera_roll_deg: {found.pose.roll_deg:.2f}{'' if options.board else '  # taken as 0'}")
    print(f"# {'corners' if options.board else 'edges of the lines'} are {found.off_px:.2f} px off, r.m.s.")


def _corners(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if not match or min(map(int, match.groups())) < 3:
        raise argparse.ArgumentTypeError(f"{text} is not two numbers of inner corners, such as 8x6")
    return int(match[1]), int(match[2])
