"""Places on the floor are where the renderer has them, for every lens and pose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from perception import CameraError
from perception.ground import Camera, Floor, Pose
from perception.ground.floor import Plan
from tests.ground.tracks import camera, ground

K = (100.0, 0.0, 79.5, 0.0, 100.0, 59.5, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("wide", [1e-3, 0.5, 0.9])
@pytest.mark.parametrize("roll", [0.0, 0.06])
def test_a_pixel_is_where_its_ray_meets_the_floor(wide: float, roll: float) -> None:
    seen_by = camera(view=2.0 if wide > 0.1 else 1.4, wide=wide, roll=roll)
    measured = ground(seen_by)
    places = np.array([[0.3, 0.1], [0.5, -0.12], [1.0, 0.3], [1.5, 0.0]])  # ahead, left
    world = np.column_stack([-places[:, 1], places[:, 0], np.zeros(4)])
    pixels, _ = seen_by.project(world)
    assert measured.floor.places(pixels - 0.5) == pytest.approx(places, rel=0.004, abs=0.002)
    assert measured.floor.pixels(places) == pytest.approx(pixels - 0.5, abs=0.12)
    assert measured.distance(pixels - 0.5) == pytest.approx(np.hypot(*places.T), rel=0.004)
    assert measured.distance(pixels[1] - 0.5) == pytest.approx(math.hypot(0.5, 0.12), rel=0.004)


def test_points_are_in_the_cameras_frame_and_nan_above_the_horizon() -> None:
    floor = Floor(Camera(160, 120, K), Pose(0.2, 0.0))
    assert floor.cloud.shape == (120, 160, 3) and not floor.cloud.flags.writeable
    assert np.isnan(floor.cloud[:60]).all() and np.isfinite(floor.cloud[61:]).all()
    # 20 px below the horizon, 30 px to the right: y is the height, z = f·h/20.
    assert floor.cloud[79, 109] == pytest.approx([29.5 / 100 * 0.2 * 100 / 19.5, 0.2, 0.2 * 100 / 19.5])


def test_a_camera_that_leans_to_its_right_sees_the_floor_rise_there() -> None:
    floor = Floor(Camera(160, 120, K), Pose(0.2, 20.0, 10.0))
    left, right = floor.meet(np.array([[-0.3, 0.3], [0.3, 0.3]]))
    assert left[2] > right[2]  # its right side is nearer to the floor
    again = Pose.of_down(-floor.pose.axes[2], 0.2)
    assert (again.pitch_deg, again.roll_deg) == pytest.approx((20.0, 10.0))


def test_straight_down_ahead_is_where_the_picture_has_up() -> None:
    places = Floor(Camera(160, 120, K), Pose(1.0, 90.0)).places([[79.5, 59.5], [79.5, 49.5], [69.5, 59.5]])
    assert places == pytest.approx(np.array([[0, 0], [0.1, 0], [0, 0.1]]), abs=1e-9)


@pytest.mark.parametrize(
    ("pose", "words"),
    [((0.0, 10.0), "height is 0 m; measure"), ((float("nan"), 10.0), "height"), ((0.2, 91.0), "pitch"),
     ((0.2, 10.0, 60.0), "roll as -45 to 45")],
)  # fmt: skip
def test_a_pose_that_no_camera_has_is_refused(pose: tuple[float, ...], words: str) -> None:
    with pytest.raises(CameraError, match=words):
        Pose(*pose)


def test_a_plan_shows_the_floor_from_above() -> None:
    floor = Floor(Camera(160, 120, K), Pose(0.2, 20.0, 4.0))
    plan = Plan(floor, 2.0)
    assert plan.cell_m == 0.01
    assert plan.ahead_m[[0, -1]].tolist() == pytest.approx([0.005, 1.995])
    assert plan.left_m[[0, -1]].tolist() == pytest.approx([-0.995, 0.995])
    left, ahead = np.meshgrid(plan.left_m, plan.ahead_m)
    pixels = floor.pixels(np.stack([ahead, left], axis=-1).reshape(-1, 2)).reshape(*left.shape, 2)
    in_picture = ((pixels >= -0.5) & (pixels <= (159.5, 119.5))).all(axis=-1)
    assert 0.1 < in_picture.mean() < 0.9 and np.array_equal(plan.seen, in_picture)
    down, across = np.mgrid[:120, :160].astype(np.uint8)
    for picture, wanted in ((across, pixels[..., 0]), (down, pixels[..., 1])):
        assert (
            np.abs(plan.of(picture) - wanted)[plan.seen].max() < 0.6
        )  # rounded, and no further at the border
