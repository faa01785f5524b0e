from dataclasses import replace

import cv2
import numpy as np
import pytest

from perception import FrameError, RoadMask, Sign, Signs
from perception.frames import MAX_SIDE
from tests.conftest import COLORS, PALETTE, solid


def mask(class_ids: np.ndarray) -> RoadMask:
    return RoadMask(class_ids, np.full_like(class_ids, 255), COLORS, PALETTE)


def sign(box: tuple[float, float, float, float] | None, *, known: bool = True) -> Sign:
    return Sign(1, "Stop", 0.98, 0.9, known, box, np.zeros(3, np.float32), {})


def test_a_caption_does_not_call_a_guess_certain() -> None:
    assert replace(sign(None), score=0.999).caption == "Stop 99%"
    assert sign(None, known=False).caption == "unknown"


def test_colours_are_the_palette_in_bgr() -> None:
    road = mask(np.full((90, 120), COLORS.index("Red"), np.uint8))
    picture = road.overlay(solid("grey", 90, 120), alpha=1.0, legend=False)
    assert (picture == (0, 0, 255)).all()


def test_alpha_mixes_frame_and_colour() -> None:
    road = mask(np.full((90, 120), COLORS.index("Red"), np.uint8))
    assert road.overlay(solid("Blue", 90, 120), alpha=0.0, legend=False)[0, 0].tolist() == [255, 0, 0]
    assert road.overlay(solid("Blue", 90, 120), alpha=0.5, legend=False)[0, 0].tolist() in ([128, 0, 128],)


def test_unlabelled_pixels_stay_as_they_were() -> None:
    ids = np.zeros((90, 120), np.uint8)
    ids[:, 60:] = 255
    frame = solid("Green", 90, 120)
    picture = mask(ids).overlay(frame, legend=False)
    assert (picture[:, 60:] == frame[:, 60:]).all()
    assert (picture[:, :60] != frame[:, :60]).any()


def test_a_mask_at_the_size_of_the_model_fits_any_frame() -> None:
    ids = np.zeros((24, 32), np.uint8)
    ids[:, 16:] = COLORS.index("Red")
    picture = mask(ids).overlay(solid("grey", 480, 640), alpha=1.0, legend=False)
    assert picture.shape == (480, 640, 3)
    assert picture[0, 319].tolist() == [255, 0, 0] and picture[0, 320].tolist() == [0, 0, 255]


def test_the_legend_lies_lower_left_and_leaves_the_rest() -> None:
    road = mask(np.full((480, 640), COLORS.index("Red"), np.uint8))
    frame = solid("grey", 480, 640)
    with_legend, without = road.overlay(frame), road.overlay(frame, legend=False)
    changed = (with_legend != without).any(axis=2)
    assert changed[240:, :320].any()
    assert not changed[:240].any() and not changed[:, 320:].any()


def test_drawing_leaves_the_frame_alone() -> None:
    frame = solid("grey", 200, 300)
    frame.flags.writeable = False
    mask(np.zeros((200, 300), np.uint8)).overlay(frame)
    Signs((sign((10, 20, 50, 60)),)).overlay(frame)
    assert (frame == 128).all()


def test_a_box_is_drawn_around_the_sign_and_its_name_beside_it() -> None:
    frame = solid("grey", 400, 600)
    picture = Signs((sign((300, 200, 340, 240)),)).overlay(frame)
    changed = (picture != frame).any(axis=2)
    assert changed[200, 300:340].all() and changed[200:240, 300].all()
    assert not changed[206:234, 306:334].any()  # the sign itself stays visible
    assert changed[160:198, 300:340].any()


def test_names_do_not_cover_the_neighbours() -> None:
    frame = solid("grey", 800, 1360)
    boxes = [(700.0, y, 724.0, y + 24.0) for y in (400.0, 426.0, 452.0)]
    picture = Signs(tuple(sign(box) for box in boxes)).overlay(frame)
    for x1, y1, x2, y2 in boxes:
        assert (picture[int(y1) + 5 : int(y2) - 5, int(x1) + 5 : int(x2) - 5] == 128).all()


def test_names_do_not_cover_one_another() -> None:
    frame = solid("grey", 800, 1360)
    boxes = [(x, y, x + 24.0, y + 24.0) for y in (400.0, 426.0) for x in (700.0, 726.0, 752.0)]
    signs = tuple(replace(sign(box), label="Stop " * (3 + k)) for k, box in enumerate(boxes))
    together = (Signs(signs).overlay(frame) != frame).any(axis=2).sum()
    alone = [(Signs((each,)).overlay(frame) != frame).any(axis=2).sum() for each in signs]
    assert together > 0.95 * sum(alone)  # the lines to the names are short, boxes meet at their edges


def test_a_name_that_had_to_move_is_tied_to_its_box() -> None:
    frame = solid("grey", 800, 1360)
    boxes = [(700.0, y, 724.0, y + 24.0) for y in (400.0, 426.0, 452.0)] + [(675.0, 426.0, 699.0, 450.0)]
    picture = Signs(tuple(sign(box) for box in boxes)).overlay(frame)
    changed = (picture != frame).any(axis=2).astype(np.uint8)
    assert cv2.connectedComponents(changed, connectivity=8)[0] == 2  # the ground, and all else in one piece


def test_a_small_picture_has_no_legend_because_it_would_hide_the_mask() -> None:
    road = mask(np.zeros((120, 160), np.uint8))
    for frame, is_listed in ((solid("grey", 120, 160), False), (solid("grey", 480, 640), True)):
        with_legend, without = road.overlay(frame), road.overlay(frame, legend=False)
        assert bool((with_legend != without).any()) is is_listed


def test_the_legends_swatches_have_the_classes_colours() -> None:
    picture = mask(np.zeros((300, 400), np.uint8)).overlay(solid("grey", 300, 400))
    legend = picture[150:, :40].reshape(-1, 3).tolist()
    red, green, blue = PALETTE[0]
    assert legend.count([blue, green, red]) > 20 and [red, green, blue] not in legend


def test_known_and_unknown_signs_look_different() -> None:
    frame = solid("grey", 400, 600)
    known = Signs((sign((300, 200, 340, 240)),)).overlay(frame)
    unknown = Signs((sign((300, 200, 340, 240), known=False),)).overlay(frame)
    assert (known[200, 320] != unknown[200, 320]).any()


@pytest.mark.parametrize("size", [(1, 2), (5, 300), (48, 48), (300, 5), (MAX_SIDE, 3)])
def test_even_a_tiny_or_tall_picture_can_be_drawn_on(size: tuple[int, int]) -> None:
    frame = solid("grey", *size)
    assert Signs((sign(None), sign((0, 0, *size[::-1])))).overlay(frame).shape == frame.shape
    assert mask(np.zeros(size, np.uint8)).overlay(frame).shape == frame.shape


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(FrameError):
        Signs((sign(None),)).overlay(np.zeros((40, 40), np.uint8))
