"""A camera's rays lead back to their pixels, and a calibration that cannot be used is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from perception import Camera, CameraError

K = (330.0, 0.0, 322.0, 0.0, 331.0, 238.0, 0.0, 0.0, 1.0)
BARREL = (-0.32, 0.1, 0.001, -0.0005, -0.01)
FISH = (-0.02, 0.01, -0.003, 0.0001)


def info(**fields: object) -> SimpleNamespace:
    """A CameraInfo of ROS 2."""
    usual = {"width": 640, "height": 480, "k": K, "d": BARREL, "distortion_model": "plumb_bob"}
    return SimpleNamespace(**{**usual, **fields})


@pytest.mark.parametrize(
    ("model", "numbers"),
    [("plumb_bob", ()), ("plumb_bob", BARREL), ("rational_polynomial", (*BARREL, 0.01, 0.0, 0.0)),
     ("equidistant", FISH), ("fisheye", ())],
)  # fmt: skip
def test_the_ray_of_a_pixel_leads_back_to_it(model: str, numbers: tuple[float, ...]) -> None:
    camera = Camera(640, 480, K, numbers, model)
    pixels = np.array([[322.0, 238.0], [0, 0], [639, 479], [100.5, 30.25]])
    slopes = camera.slopes(pixels)
    assert np.isfinite(slopes).all()
    assert slopes[0] == pytest.approx([0, 0], abs=1e-6)
    assert np.abs(camera.pixels(np.column_stack([slopes, np.ones(4)])) - pixels).max() < 1e-3


def test_a_lens_bends_rays_as_opencv_says() -> None:
    seen = Camera(640, 480, K, BARREL).pixels([[0.5, 0.0, 1.0]])[0, 0]
    squared = 0.25
    bent = 0.5 * (1 + BARREL[0] * squared + BARREL[1] * squared**2 + BARREL[4] * squared**3)
    assert seen == pytest.approx(322 + 330 * (bent + BARREL[3] * (squared + 2 * 0.25)), abs=1e-6)
    angle = np.arctan(0.5)
    theta = angle * (1 + FISH[0] * angle**2 + FISH[1] * angle**4 + FISH[2] * angle**6 + FISH[3] * angle**8)
    assert Camera(640, 480, K, FISH, "equidistant").pixels([[0.5, 0.0, 1.0]])[0, 0] == pytest.approx(
        322 + 330 * theta, abs=1e-6
    )


def test_all_rays_at_once_are_the_rays_of_each_pixel() -> None:
    for width, height in ((61, 43), (640, 479)):
        scale = width / 61
        camera = Camera(
            width, height, (40 * scale, 0, 30 * scale, 0, 40 * scale, 20 * scale, 0, 0, 1), BARREL
        )
        pixels = np.array([[3, 5], [width - 1, height - 1], [30, 21], [17, 38]])
        found = camera.slopes_of_all()
        assert found.shape == (height, width, 2)
        apart = np.abs(found[pixels[:, 1], pixels[:, 0]] - camera.slopes(pixels))
        assert apart.max() * 40 * scale < 0.05  # px


def test_a_pixel_beyond_what_the_lens_describes_has_no_ray() -> None:
    assert np.isnan(Camera(640, 480, K, (-0.9, 0, 0, 0)).slopes([[0, 0]])).all()
    assert np.isnan(
        Camera(640, 480, (100.0, *K[1:4], 100.0, *K[5:]), (), "equidistant").slopes([[0, 0]])
    ).all()


def test_what_is_behind_the_camera_is_in_no_pixel() -> None:
    assert np.isnan(Camera(640, 480, K).pixels([[0.1, 0, -1], [0, 0, 0], [np.nan, 0, 1]])).all()


def test_a_camera_info_says_which_part_of_the_sensor_is_read() -> None:
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=200)
    camera = Camera.of_info(info(roi=roi, binning_x=2, binning_y=2))
    assert (camera.width, camera.height) == (200, 100)
    whole = Camera.of_info(info())
    point = [[0.3, 0.1, 1.0]]
    # Pixel 0 of the binned picture has the middles of pixels 0 and 1.
    assert camera.pixels(point) == pytest.approx((whole.pixels(point) - (100, 40) + 0.5) / 2 - 0.5)


def test_a_picture_of_another_size_has_its_own_calibration_and_of_another_view_none() -> None:
    whole = Camera(640, 480, K, BARREL)
    half = whole.scaled((240, 320))
    point = [[-0.3, 0.2, 1.0]]
    assert half.pixels(point) == pytest.approx((whole.pixels(point) + 0.5) / 2 - 0.5)
    assert whole.scaled((480, 640)) is whole
    with pytest.raises(CameraError, match=r"calibrated for 640x480, and the picture is 640x360.*roi"):
        whole.scaled((360, 640))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"k": (0.0,) * 9}, "K is all zeros, so it is not calibrated; calibrate it"),
        ({"k": (float("nan"), *K[1:])}, "K is"),
        ({"k": K[:6]}, "K is"),
        ({"d": (0.1, 0.2)}, "D is .*; plumb_bob has 0 or 4 or 5"),
        ({"d": (float("inf"),) * 4}, "D is"),
        ({"d": BARREL, "distortion_model": "equidistant"}, "equidistant has 0 or 4 numbers"),
        ({"distortion_model": "thin_prism"}, "'thin_prism'; calibrate it as one of plumb_bob"),
        ({"width": 0}, "its size is 0x480"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(CameraError, match=words):
        Camera.of_info(info(**fields))


def test_a_calibration_file_of_ros_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ost.yaml"
    file.write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: front\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: {list(K)}}}\ndistortion_model: equidistant\n"
        f"distortion_coefficients: {{rows: 1, cols: 4, data: {list(FISH)}}}\n"
    )
    assert Camera.read(file) == Camera(640, 480, K, FISH, "equidistant")


@pytest.mark.parametrize("content", ["", "a: [", "image_width: 640", "camera_matrix: 3", "\x00"])
def test_a_file_that_is_no_calibration_is_named(content: str, tmp_path: Path) -> None:
    file = tmp_path / "ost.yaml"
    file.write_text(content)
    with pytest.raises(CameraError, match=r"ost.yaml: no calibration of camera_calibration"):
        Camera.read(file)
    with pytest.raises(CameraError, match=r"none.yaml: No such file"):
        Camera.read(tmp_path / "none.yaml")
