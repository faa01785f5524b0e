"""Every message becomes a picture: what it shows, or a sentence about what is wrong with it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from perception.topics import COMPRESSED_IMAGE, IMAGE
from studio.live import pictures
from studio.settings import StudioError

CAMERA = pictures.Source("/camera/image_raw", IMAGE, "", False)
OFFERED = {
    "/camera/image_raw": IMAGE,
    "/car/segmentation/mask": IMAGE,
    "/car/segmentation/overlay": IMAGE,
    "/signs/overlay": IMAGE,
    "/back/image_raw/compressed": COMPRESSED_IMAGE,
    "/rosout": "rcl_interfaces/msg/Log",
}


def arrived(message: Any) -> Any:
    return SimpleNamespace(message=message, made=None)


def image(frame: np.ndarray, **fields: Any) -> Any:
    height, width = frame.shape[:2]
    encoding = "bgr8" if frame.ndim == 3 else "mono8"
    usual = {"height": height, "width": width, "encoding": encoding, "step": frame.strides[0]}
    return SimpleNamespace(**{**usual, "data": frame.tobytes(), **fields})


def decoded(made: pictures.Picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(made.jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_overlays_are_shown_first_and_else_one_camera() -> None:
    found = pictures.sources(OFFERED)
    assert [one.topic for one in found] == [
        "/car/segmentation/overlay",
        "/signs/overlay",
        "/back/image_raw/compressed",
        "/camera/image_raw",
        "/car/segmentation/mask",
    ]
    assert [one.topic for one in pictures.first(found)] == ["/car/segmentation/overlay", "/signs/overlay"]
    assert [one.topic for one in pictures.first(found[2:])] == ["/back/image_raw/compressed"]
    assert pictures.first([]) == []
    assert {one.topic: one.labels for one in found if one.labels} == {
        "/car/segmentation/mask": "/car/segmentation/label_info"
    }


def test_a_picture_is_shown_once_decoded_and_large_ones_smaller() -> None:
    frame = np.full((1000, 2000, 3), (10, 200, 30), np.uint8)
    message = arrived(image(frame))
    made = pictures.picture(CAMERA, message, {})
    assert decoded(made).shape == (480, 960, 3) and made.about == "2000×1000 bgr8"
    assert np.abs(decoded(made)[100, 100].astype(int) - (10, 200, 30)).max() < 4
    assert pictures.picture(CAMERA, message, {}) is made


def test_a_mask_has_a_colour_for_each_class() -> None:
    source = pictures.sources({"/segmentation/mask": IMAGE})[0]
    mask = np.repeat(np.array([0, 1, 2, 255], np.uint8), 60)[None].repeat(240, axis=0)
    shown = decoded(pictures.picture(source, arrived(image(mask)), {0: "floor"}))[20, 30::60].astype(int)
    differences = [np.abs(a - b).max() for a in shown for b in shown]
    assert sorted(differences)[4] > 60  # but for each with itself
    assert shown[3].max() < 20  # what has no class


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"height": 0, "width": 0, "data": b""}, "image of 0x0 pixels"),
        ({"encoding": "<b>none"}, "is unknown"),
        ({"data": b"short"}, "5 bytes of data"),
        ({"height": 10**6, "width": 10**6}, "megapixels"),
        ({"data": None}, "Error"),
    ],
)
def test_a_message_that_is_no_picture_is_a_sentence(fields: dict[str, Any], problem: str) -> None:
    made = pictures.picture(CAMERA, arrived(image(np.zeros((4, 4, 3), np.uint8), **fields)), {})
    assert problem in made.problem and decoded(made).shape == (240, 480, 3)


def test_bytes_that_do_not_fit_their_type_are_a_sentence() -> None:
    class Broken:
        made = None

        @property
        def message(self) -> Any:
            raise StudioError("its bytes are no sensor_msgs/msg/Image: too short")

    made = pictures.picture(CAMERA, Broken(), {})
    assert made.problem == "its bytes are no sensor_msgs/msg/Image: too short"
    assert decoded(made).shape == (240, 480, 3)


def test_a_long_name_and_other_letters_fit_on_a_card() -> None:
    assert pictures.card("ж" * 5000 + " word" * 5000)
