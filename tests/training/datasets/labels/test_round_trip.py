"""From label images to shapes and back: every pixel, or all but those at the outline."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.datasets.labels.sources import masks
from tests.training.datasets.test_boxes import turn
from training.datasets.images import DataError
from training.datasets.labels import Reason, export_labels, import_labels
from training.datasets.labels.outlines import of_mask, without_specks
from training.datasets.labels.paint import fill, paint
from training.datasets.labels.shapes import Picture

LABELS = ("floor", "line", "object", "elsewhere")
TOOLS = ("cvat", "coco", "labelme")
IDS = {label: number for number, label in enumerate(LABELS)}


def track(size_hw: tuple[int, int] = (96, 128), *, unknown: bool = False) -> np.ndarray:
    """A floor below a room, a closed line around a piece of floor, thin lines, and a box."""
    height, width = size_hw
    mask = np.full(size_hw, 3, np.uint8)
    mask[height // 3 :] = 0
    cv2.ellipse(mask, (width // 2, 2 * height // 3), (width // 3, height // 5), 10, 0, 360, 1, 2)
    cv2.line(mask, (0, height - 3), (width - 1, height // 3 + 2), 1, 1)
    cv2.rectangle(mask, (width - 30, height // 4), (width - 18, height // 2), 2, -1)
    if unknown:
        mask[2 * height // 3 - 3 : 2 * height // 3 + 3, width // 2 - 4 : width // 2 + 5] = 255
    return mask


def crossing() -> np.ndarray:
    """Two frames of one pixel that go through each other where corners touch."""
    mask = np.full((24, 24), 255, np.uint8)
    cv2.polylines(mask, [np.array([(2, 12), (9, 5), (16, 12), (9, 19)])], True, 0)
    free = mask == 255
    other = np.zeros_like(mask)
    cv2.polylines(other, [np.array([(9, 12), (16, 5), (22, 11), (16, 18)])], True, 1)
    mask[(other == 1) & free] = 1
    return mask


def noise() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.choice(np.array([0, 1, 2, 255], np.uint8), (20, 27))


def painted(mask: np.ndarray, **options: object) -> np.ndarray:
    shapes = tuple(of_mask(mask, LABELS, **options))
    picture = Picture(Path("a.png"), "a.png", Path("a.json"), "", shapes)
    said: list[object] = []
    found = paint(picture, mask.shape, IDS, said.append)
    assert not [one for one in said if one.reason is not Reason.OVERLAP]
    return found


MASKS = {
    "track": track(),
    "unknown": track(unknown=True),
    "crossing": crossing(),
    "noise": noise(),
    "one class": np.zeros((5, 7), np.uint8),
    "one pixel": np.pad(np.zeros((1, 1), np.uint8), 2, constant_values=255),
}


@pytest.mark.parametrize("is_layered", [True, False])
@pytest.mark.parametrize("name", MASKS)
def test_outlines_keep_every_pixel(name: str, is_layered: bool) -> None:
    assert np.array_equal(painted(MASKS[name], is_layered=is_layered), MASKS[name])


def test_a_hole_of_another_class_is_painted_over_and_one_that_does_not_count_is_not() -> None:
    mask = track()
    assert all(shape.bitmap is None for shape in of_mask(mask, LABELS, is_layered=True))
    assert {s.label for s in of_mask(mask, LABELS, is_layered=False) if s.bitmap} == {"line", "floor"}
    shapes = of_mask(track(unknown=True), LABELS, is_layered=True)
    assert {shape.label for shape in shapes if shape.bitmap is not None} == {"floor", "line"}
    assert {shape.label for shape in shapes if shape.rings} == {"elsewhere", "line", "object"}


def test_smoother_outlines_move_pixels_at_the_outline_only() -> None:
    mask = track()
    found = painted(mask, is_layered=True, smooth_px=1.0)
    changed = found != mask
    assert 0 < changed.mean() < 0.02
    kernel = np.ones((3, 3), np.uint8)
    at_outline = cv2.dilate(mask, kernel) != cv2.erode(mask, kernel)
    assert not (changed & ~at_outline).any()
    for number in range(4):  # thin lines, too
        both = ((found == number) & (mask == number)).sum()
        assert both > 0.8 * ((found == number) | (mask == number)).sum()
    assert corners(mask, 1.0) < 0.6 * corners(mask, 0.0)


def test_thin_lines_stay_however_smooth_the_outlines() -> None:
    mask = np.zeros((60, 80), np.uint8)
    cv2.polylines(mask, [np.array([(5, 50), (40, 8), (75, 50)])], False, 1, 2)
    found = painted(mask, is_layered=True, smooth_px=4.0)
    assert ((found == 1) & (mask == 1)).sum() > 0.85 * ((found == 1) | (mask == 1)).sum()


def corners(mask: np.ndarray, smooth_px: float) -> int:
    shapes = of_mask(mask, LABELS, is_layered=True, smooth_px=smooth_px)
    return sum(len(ring) for shape in shapes for ring in shape.rings)


def test_specks_go_to_what_is_next_to_them() -> None:
    mask = track()
    speckled = mask.copy()
    speckled[60, 60:63] = 2  # on the floor within the line
    speckled[5, 5] = 0
    speckled[50:52, 4:6] = 3  # 4 px, which is more than 1 of 4000
    expected = mask.copy()
    expected[50:52, 4:6] = 3
    found, count = without_specks(speckled)
    assert count == 2 and np.array_equal(found, expected)
    unknown = np.full((100, 100), 255, np.uint8)
    unknown[4, 4] = 1
    assert (without_specks(unknown)[0] == 255).all()
    tiny = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert np.array_equal(without_specks(tiny)[0], tiny)  # a pixel is no speck there


def data_set(root: Path, **named: np.ndarray) -> Path:
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, mask in named.items():
        cv2.imwrite(str(root / "images" / f"{name}.png"), rng.integers(0, 256, (*mask.shape, 3)))
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    entries = [{"name": name, "color": [60 * n, 9, 9]} for n, name in enumerate(LABELS)]
    (root / "classes.json").write_text(json.dumps(entries))
    return root


@pytest.mark.parametrize("as_bitmaps", [False, True])
@pytest.mark.parametrize("to", TOOLS)
def test_what_is_exported_comes_back(to: str, as_bitmaps: bool, tmp_path: Path) -> None:
    root = data_set(tmp_path / "data", one=MASKS["track"], two=MASKS["unknown"], x_3=MASKS["crossing"])
    done = export_labels(root, tmp_path / "task", to=to, exact=True, as_bitmaps=as_bitmaps)
    assert (done.pictures, done.unmapped) == (3, ()) and done.shapes > 3
    assert (done.corners == 0) == as_bitmaps
    back = import_labels(tmp_path / "task", tmp_path / "back", classes=root)
    assert {one.reason for one in back.unmapped} <= {Reason.OVERLAP}
    assert back.labels == LABELS
    before, after = masks(root), masks(tmp_path / "back")
    assert list(before) == list(after)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert json.loads((tmp_path / "back" / "classes.json").read_text()) == json.loads(
        (root / "classes.json").read_text()
    )
    for name in before:
        picture = Path("images", Path(name).name)
        assert (tmp_path / "back" / picture).read_bytes() == (root / picture).read_bytes()


def test_what_is_exported_is_smooth_and_without_specks(tmp_path: Path) -> None:
    mask = track((240, 320))
    mask[10:12, 10:12] = 0
    root = data_set(tmp_path / "data", one=mask)
    done = export_labels(root, tmp_path / "task", to="cvat")
    exact = export_labels(root, tmp_path / "exact", to="cvat", exact=True)
    assert (done.specks, exact.specks) == (2, 0)  # a corner beside the line is one, too
    assert done.shapes < exact.shapes and done.corners < 0.6 * exact.corners
    import_labels(tmp_path / "task", tmp_path / "back")
    (found,) = masks(tmp_path / "back").values()
    assert 0 < (found != mask).mean() < 0.01


def test_cvat_gets_labels_in_their_colours(tmp_path: Path) -> None:
    root = data_set(tmp_path / "data", one=track())
    export_labels(root, tmp_path / "task", to="cvat")
    orders = re.findall(r'z_order="(\d+)"', (tmp_path / "task" / "annotations.xml").read_text())
    assert list(map(int, orders)) == list(range(len(orders)))
    listed = json.loads((tmp_path / "task" / "labels.json").read_text())
    assert [one["name"] for one in listed] == list(LABELS) and listed[1]["color"] == "#3c0909"
    import_labels(tmp_path / "task", tmp_path / "back")
    assert json.loads((tmp_path / "back" / "classes.json").read_text())[1] == {
        "name": "line",
        "color": [60, 9, 9],
    }


def test_both_parts_are_exported_and_what_is_wrong_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for part, mask in (("train", track()), ("val", track(unknown=True))):
        own = data_set(root / part, a=mask, b=mask, c=mask)
        (own / "classes.json").rename(root / "classes.json")
    (root / "train" / "masks" / "a.png").unlink()
    cv2.imwrite(str(root / "val" / "masks" / "a.png"), track()[:-1])
    cv2.imwrite(str(root / "val" / "masks" / "b.png"), np.where(track() == 2, 9, track()))
    turn(root / "val" / "images" / "c.png")
    done = export_labels(root, tmp_path / "task", to="labelme")
    assert {(one.reason, one.path.relative_to(root).as_posix()) for one in done.unmapped} == {
        (Reason.NO_LABELS, "train/images/a.png"),
        (Reason.SIZE, "val/masks/a.png"),
        (Reason.NO_CLASS, "val/masks/b.png"),
        (Reason.TURNED, "val/images/c.png"),
    }
    found = sorted(
        path.relative_to(tmp_path / "task").as_posix() for path in (tmp_path / "task").rglob("*.json")
    )
    assert found == ["train/b.json", "train/c.json", "val/b.json"]


def test_what_cannot_be_exported_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    root = data_set(tmp_path / "data", one=track())
    (root / "masks" / "one.png").unlink()
    with pytest.raises(DataError, match=r"no picture with a label image.*one\.png"):
        export_labels(root, tmp_path / "task", to="coco")
    (root / "masks").rename(root / "labels")
    with pytest.raises(DataError, match=r"images/ and masks/"):
        export_labels(root, tmp_path / "task", to="coco")
    (root / "classes.json").unlink()
    with pytest.raises(DataError, match=r"data has no classes\.json; export what"):
        export_labels(root, tmp_path / "task", to="coco")
    with pytest.raises(DataError, match="holds something already"):
        export_labels(root, root, to="coco")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_pixel_belongs_to_what_encloses_its_centre() -> None:
    for low, high, pixels in ((0.4, 2.6, slice(0, 3)), (0.6, 2.4, slice(1, 2)), (0.6, 1.4, slice(0, 0))):
        area = np.zeros((5, 5), bool)
        fill(area, np.array([(low, low), (high, low), (high, high), (low, high)]))
        expected = np.zeros((5, 5), bool)
        expected[pixels, pixels] = True
        assert np.array_equal(area, expected)
    area = np.zeros((4, 4), bool)
    fill(area, np.array([(-0.1, 0.0), (3.9, 4.0), (-0.1, 4.0)]))
    assert np.array_equal(area, np.tri(4, k=-1, dtype=bool))


def test_a_polygon_is_filled_as_coco_fills_it() -> None:
    from faster_coco_eval.core import mask as coco

    rng = np.random.default_rng(1)
    for _ in range(20):
        corners = rng.uniform(-5, 45, (int(rng.integers(3, 8)), 2))
        own = np.zeros((30, 40), bool)
        fill(own, corners)
        theirs = coco.decode(coco.frPyObjects([corners.ravel().tolist()], 30, 40))[..., 0] > 0
        outline = np.zeros((30, 40), np.uint8)
        cv2.polylines(outline, [np.round(corners * 16 - 8).astype(np.int32)], True, 1, 3, shift=4)
        assert not ((own != theirs) & (outline == 0)).any()
