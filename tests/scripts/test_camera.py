"""What the camera of the load test sees."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="the camera needs ROS 2")

import numpy as np

import perception
from perception.paths import shared
from scripts.camera import SCENES, STEPS, pictures, size


@pytest.mark.parametrize("signs", [True, False])
def test_the_camera_sees_signs_or_none(signs: bool) -> None:
    frames = list(pictures((480, 640), signs=signs))
    assert len(frames) == SCENES * STEPS and {frame.shape for frame in frames} == {(480, 640, 3)}
    assert not np.array_equal(frames[0], frames[1])  # it moves
    find = perception.load(shared("models/sign_detector.onnx"), device="cpu")
    read = perception.SignReader(find, perception.load(shared("models/signs.onnx"), device="cpu"))
    known = sum(any(read(frame)) for frame in frames[::STEPS])
    assert known >= 0.75 * SCENES if signs else known == 0


def test_a_size_is_written_with_the_width_first() -> None:
    assert size("640x480") == (480, 640)
