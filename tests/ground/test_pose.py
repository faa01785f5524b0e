"""How a camera is above the floor is found in rendered pictures, where it is known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception import Camera, CameraError
from perception.commands.cli import main
from perception.errors import InputError
from perception.ground.pose import of_board, of_lane
from tests.ground.tracks import TAPE_M, arc, camera, lane, mask
from training.datasets.tracks.calibration import calibrated
from training.datasets.tracks.camera import Camera as Drawn

SQUARE_M, CORNERS = 0.03, (8, 6)
TIMES = 3  # finer each way, and averaged
SEEN_BY = camera((480, 640), view=1.3, height_m=0.16, pitch=0.32, roll=0.05)


def board(seen_by: Drawn, turn: float = 0.2) -> np.ndarray:
    """A checkerboard of 9x7 squares on a grey floor, 0.3 m ahead, as a camera sees it."""
    height, width = seen_by.size_hw
    fine = replace(seen_by, size_hw=(TIMES * height, TIMES * width), focal_px=TIMES * seen_by.focal_px)
    x, y, z = fine.rays()
    times = seen_by.height_m / np.maximum(-z, 1e-3)
    right, ahead = x * times, y * times - 0.3
    a = (math.cos(turn) * right + math.sin(turn) * ahead) / SQUARE_M + 4.5
    b = (math.cos(turn) * ahead - math.sin(turn) * right) / SQUARE_M + 3.5
    dark = (np.floor(a) + np.floor(b)) % 2 == 0
    on_board = (a > 0) & (a < 9) & (b > 0) & (b < 7)
    paper = (a > -1) & (a < 10) & (b > -1) & (b < 8) & (z < 0)
    gray = np.where(paper, np.where(on_board & dark, 25, 230), 120).astype(np.float32)
    small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small.astype(np.uint8), cv2.COLOR_GRAY2BGR)


@pytest.mark.parametrize(
    "seen_by", [SEEN_BY, camera((480, 640), view=1.9, wide=0.9, height_m=0.2, pitch=0.5)]
)
def test_a_checkerboard_gives_height_pitch_and_roll(seen_by: Drawn) -> None:
    found = of_board(board(seen_by), calibrated(seen_by), CORNERS, SQUARE_M)
    assert found.pose.height_m == pytest.approx(seen_by.height_m, abs=0.002)
    assert found.pose.pitch_deg == pytest.approx(math.degrees(seen_by.pitch), abs=0.3)
    assert found.pose.roll_deg == pytest.approx(-math.degrees(seen_by.roll), abs=0.3)
    assert found.off_px < 0.3


@pytest.mark.parametrize("heading", [0.0, 0.12])
def test_a_straight_lane_gives_height_and_pitch(heading: float) -> None:
    seen_by = replace(SEEN_BY, roll=0.0)
    found = of_lane(mask(seen_by, lane(arc(0.03, heading))), calibrated(seen_by), 0.37 - TAPE_M)
    assert found.pose.height_m == pytest.approx(0.16, abs=0.004)
    assert found.pose.pitch_deg == pytest.approx(math.degrees(0.32), abs=0.4)


def test_what_does_not_show_a_board_or_a_lane_is_named() -> None:
    exact = calibrated(SEEN_BY)
    with pytest.raises(InputError, match="no board with 8x6 inner corners"):
        of_board(np.full((480, 640, 3), 128, np.uint8), exact, CORNERS, SQUARE_M)
    with pytest.raises(InputError, match="only 0 rows of pixels show a line on both sides"):
        of_lane(mask(SEEN_BY, []), exact, 0.35)
    with pytest.raises(CameraError, match="not the same view"):
        of_board(np.full((360, 640, 3), 128, np.uint8), exact, CORNERS, SQUARE_M)


def test_a_calibration_that_does_not_describe_the_lens_is_named() -> None:
    exact, seen_by = calibrated(SEEN_BY), replace(SEEN_BY, roll=0.0)
    wrong = replace(exact, D=(50.0, -300.0, 1.0, 1.0), K=(10.0, 0.0, exact.K[2], 0.0, 10.0, *exact.K[5:]))
    wrong = replace(wrong, distortion_model="plumb_bob")
    with pytest.raises(CameraError, match=r"describes the lens at \d+ of 48 corners.*calibrate it again"):
        of_board(board(SEEN_BY), wrong, CORNERS, SQUARE_M)
    with pytest.raises(CameraError, match=r"describes the lens at \d+ of \d+ places of a line"):
        of_lane(mask(seen_by, lane(arc())), wrong, 0.35)


def test_a_curve_is_no_straight_lane() -> None:
    seen_by = replace(SEEN_BY, roll=0.0)
    with pytest.raises(InputError, match="straight lane"):
        of_lane(mask(seen_by, lane(arc(0.0, 0.0, 0.4))), calibrated(seen_by), 0.35)


def calibration(path: Path, exact: Camera) -> Path:
    """A file as camera_calibration writes it."""
    path.write_text(
        f"image_width: {exact.width}\nimage_height: {exact.height}\n"
        f"camera_matrix: {{data: {list(exact.K)}}}\n"
        f"distortion_model: {exact.distortion_model}\ndistortion_coefficients: {{data: {list(exact.D)}}}\n"
    )
    return path


def test_the_command_prints_the_nodes_parameters(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    picture, file = tmp_path / "board.png", calibration(tmp_path / "ost.yaml", calibrated(SEEN_BY))
    cv2.imwrite(str(picture), board(SEEN_BY))
    arguments = ["camera-pose", str(picture), "--camera", str(file)]
    assert main([*arguments, "--board", "8x6", "--square", str(SQUARE_M)]) == 0
    said = dict(line.split(": ") for line in capsys.readouterr().out.splitlines() if not line.startswith("#"))
    assert float(said["camera_height_m"]) == pytest.approx(0.16, abs=0.002)
    assert float(said["camera_pitch_deg"]) == pytest.approx(math.degrees(0.32), abs=0.3)
    assert main([*arguments, "--board", "8x6"]) == 1
    assert "give both" in capsys.readouterr().err
    assert main([*arguments[:-1], str(picture), "--lane", "0.35"]) == 1
    assert "no calibration of camera_calibration" in capsys.readouterr().err
