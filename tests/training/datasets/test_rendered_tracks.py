"""Rendered tracks look as their masks say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.tasks import UNLABELLED
from training.datasets.images import DataError
from training.datasets.rendered_tracks import LABELS, RenderedTracks, render, samples
from training.datasets.tracks import floors, lines, rooms, scene, things
from training.datasets.tracks.camera import Camera
from training.datasets.tracks.lamps import Lamp
from training.datasets.tracks.lines import Stroke
from training.datasets.tracks.surfaces import Under
from training.datasets.tracks.things import Thing

SIZE_HW = (120, 160)
FLOOR, LINE, OBJECT, ELSEWHERE = range(4)


@pytest.fixture(scope="module")
def floor() -> floors.Floor:
    """One plain grey floor that mirrors nothing."""
    fine, coarse = np.full((384, 384, 3), 90, np.uint8), np.full((48, 48, 3), 90, np.uint8)
    return floors.Floor(fine, coarse, 1.0, np.ones(3, np.float32), np.zeros(3, np.float32), 0.0)


@pytest.fixture(scope="module")
def room() -> rooms.Room:
    """White walls, 6 m away."""
    size_hw = (round(rooms.HEIGHT_M * rooms.TEXELS_PER_M), round(rooms.ROUND_M * rooms.TEXELS_PER_M))
    strip = np.full((*size_hw, 3), 250, np.uint8)
    return rooms.Room(strip, 0.0, (6.0, 6.0, 6.0, 6.0))


def drawn(
    floor: floors.Floor | Under,
    room: rooms.Room,
    *,
    strokes: tuple[Stroke, ...] = (),
    on_it: tuple[Thing, ...] = (),
    pitch: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    camera = Camera(SIZE_HW, 100.0, 1e-3, 0.2, pitch)
    under = floor if isinstance(floor, Under) else Under(floor, room)
    # A seed without the car's bumper, stray shadows and worn tape.
    return scene.picture(scene.Scene(camera, under, strokes, on_it), np.random.default_rng(8))


def tape(width_m: float, x: float = 0.0) -> Stroke:
    return Stroke.along(
        lines.straight(np.array([x, 0.1]), np.array([x, 5.0])), width_m, (255.0, 255.0, 255.0)
    )


@pytest.mark.parametrize(("width_m", "x"), [(0.05, 0.0), (0.05, 0.113), (0.02, -0.07), (0.03, 0.21)])
def test_tape_is_as_wide_and_where_geometry_says(
    floor: floors.Floor, room: rooms.Room, width_m: float, x: float
) -> None:
    image, mask = drawn(floor, room, strokes=(tape(width_m, x),))
    for layer, threshold in ((mask == LINE, 0.5), (image.mean(axis=2) > 150, 0.5)):
        apart = []
        for row in range(85, 120):
            per_m = (row + 0.5 - 60) / 0.2  # px in a metre at the distance that this row shows
            left, right = 80 + (x - width_m / 2) * per_m, 80 + (x + width_m / 2) * per_m
            columns = np.flatnonzero(layer[row])
            assert len(columns) > 0
            apart.append((columns[0] - left, columns[-1] + 1 - right))
        assert np.abs(apart).max() <= 1.0
        assert np.abs(np.mean(apart, axis=0)).max() <= threshold


def test_half_a_pixel_of_tape_is_marked_and_a_tenth_is_not(floor: floors.Floor, room: rooms.Room) -> None:
    _, mask = drawn(floor, room, strokes=(tape(0.004),))
    assert (mask[100:] == LINE).any(axis=1).all()  # 0.8 px and more
    _, mask = drawn(floor, room, strokes=(tape(0.0004),))
    assert not (mask == LINE).any()


def test_a_lens_shows_a_place_on_the_floor_where_its_ray_meets_it() -> None:
    for wide in (0.0, 0.4, 0.95):
        camera = Camera.of_view((60, 80), view=1.6, wide=wide, height_m=0.15, pitch=0.5, roll=0.1)
        x, y, z = (axis.astype(np.float64).ravel() for axis in camera.rays())
        below = z < -0.05
        places = np.stack([x, y, z], axis=1)[below] * (0.15 / -z[below])[:, None] + (0, 0, 0.15)
        pixels, in_front = camera.project(places)
        rows, columns = np.divmod(np.flatnonzero(below), 80)
        assert in_front.all()
        assert np.abs(pixels - np.stack([columns, rows], axis=1) - 0.5).max() < 0.02
    assert np.abs(camera.project(np.array([[0.0, 1.0, 0.15 - np.tan(0.5)]]))[0] - (40, 30)).max() < 1e-6


def test_a_lens_of_a_given_view_sees_as_much() -> None:
    camera = Camera.of_view((60, 80), view=np.pi / 2, wide=0.8, height_m=0.1, pitch=0.0)
    pixels, _ = camera.project(np.array([[1.0, 1.0, 0.1], [-1.0, 1.0, 0.1]]))
    assert pixels[:, 0] == pytest.approx([80.0, 0.0], abs=1e-5)


@pytest.mark.parametrize(("away_m", "label"), [(1.0, OBJECT), (4.0, ELSEWHERE)])
def test_a_box_hides_tape_and_floor(floor: floors.Floor, room: rooms.Room, away_m: float, label: int) -> None:
    size = (0.4 * away_m, 0.1, 0.2)
    faces = things.cuboid(np.array([0.0, away_m]), 0.0, size, (10.0, 20.0, 200.0))
    image, mask = drawn(floor, room, strokes=(tape(0.1),), on_it=(Thing(tuple(faces), (0.0, away_m)),))
    nearer = away_m - 0.05
    bottom = 60 + 100 * 0.2 / nearer
    assert (mask[61 : int(bottom) - 1, 70:90] == label).all()
    assert image[61 : int(bottom) - 1, 70:90, 2].min() > 60 > image[61 : int(bottom) - 1, 70:90, 0].max()
    below = mask[int(bottom) + 2 : int(bottom) + 6, 80]
    assert (below == LINE).all()


def test_walls_are_elsewhere_and_end_at_the_floor(floor: floors.Floor, room: rooms.Room) -> None:
    image, mask = drawn(floor, room)
    foot = 60 + 100 * 0.2 / 6
    assert (mask[: int(foot)] == ELSEWHERE).all() and (mask[int(foot) + 1 :] == FLOOR).all()
    assert image[: int(foot)].mean() > 1.1 * image[int(foot) + 1 :].mean()


@pytest.mark.parametrize(("is_rough", "label"), [(True, ELSEWHERE), (False, FLOOR)])
def test_a_mat_ends_at_its_edge(floor: floors.Floor, room: rooms.Room, is_rough: bool, label: int) -> None:
    green = replace(floor, gain=np.array([0.2, 1.5, 0.2], np.float32))
    under = Under(floor, room, green, is_rough, np.array([[1.0, 0.0, 0.1]]))  # x > 0.1 m
    image, mask = drawn(under, room)
    for row in (80, 100, 118):
        edge = 80 + 0.1 * (row + 0.5 - 60) / 0.2
        assert (mask[row, : int(edge)] == FLOOR).all() and (mask[row, int(edge) + 1 :] == label).all()
        inside, outside = (np.ptp(image[row, int(edge) + off]) for off in (-1, 2))
        assert inside < 10 and outside > 40


def test_a_glossy_floor_mirrors_a_lamp_and_its_mask_stays_floor(
    floor: floors.Floor, room: rooms.Room
) -> None:
    camera = Camera(SIZE_HW, 100.0, 1e-3, 0.2, 0.3)
    lamp = Lamp((0.2, 4.0, 2.4), 0.15, 8000.0, 1.0)
    bright = []
    for gloss in (0.0, 0.5):
        under = Under(replace(floor, gloss=gloss), room)
        images = [
            scene.picture(scene.Scene(camera, under, (), (), lamps), np.random.default_rng(8))
            for lamps in ((), (lamp,))
        ]
        assert np.array_equal(images[0][1], images[1][1])
        difference = np.where(images[0][1] == FLOOR, (images[1][0] - images[0][0]).mean(axis=2), 0)
        bright.append(float(difference.max()))
    assert bright[0] == 0.0 and bright[1] > 60
    row, column = np.unravel_index(difference.argmax(), difference.shape)
    (wanted,), _ = camera.project(np.array([[0.2, 4.0, -2.4]]))
    assert np.abs(np.array([column, row]) + 0.5 - wanted).max() < 3


def test_the_same_seed_draws_the_same_track() -> None:
    frame, mask = render(3, (60, 80))
    again, mask_again = render(3, (60, 80))
    assert np.array_equal(frame, again) and np.array_equal(mask, mask_again)
    assert not np.array_equal(frame, render(4, (60, 80))[0])


def test_masks_have_all_classes_in_the_shares_of_real_tracks() -> None:
    _, masks = samples(60, (60, 80))
    counts = np.bincount(masks.numpy().ravel(), minlength=256)
    shares = counts / counts.sum()
    assert set(np.flatnonzero(counts)) <= {*range(len(LABELS)), UNLABELLED}
    assert 0.3 < shares[FLOOR] < 0.75
    assert 0.01 < shares[LINE] < 0.08
    assert 0.02 < shares[OBJECT] < 0.3
    assert 0.1 < shares[ELSEWHERE] < 0.55
    assert shares[UNLABELLED] < 0.01


def test_lines_can_be_told_from_the_floor_beside_them() -> None:
    differing = []
    for seed in range(40):
        frame, mask = render(seed, SIZE_HW)
        line = mask == LINE
        if line.sum() < 100:
            continue
        near = cv2.dilate(line.view(np.uint8), np.ones((9, 9))).astype(bool) & (mask == FLOOR)
        differing.append(np.abs(frame[line].mean(axis=0) - frame[near].mean(axis=0)).max() > 3.0)
    assert len(differing) > 20
    assert np.mean(differing) > 0.85


def test_floors_may_be_pictures(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((40, 60, 3), (0, 0, 255), np.uint8))
    found = floors.pictures_of(str(tmp_path))
    drawn_ = [floors.drawn(np.random.default_rng(seed), found) for seed in range(20)]
    red = [floor.color[2] > 100 and floor.color[0] < 1 for floor in drawn_]
    assert 4 < sum(red) < 16
    with pytest.raises(DataError, match="no pictures of floors"):
        RenderedTracks(1, SIZE_HW, str(tmp_path / "none"))
