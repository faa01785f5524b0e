"""Encodings of raw images against the test's own arithmetic, and against cv_bridge where it is installed."""

from __future__ import annotations

import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from perception import FrameError
from perception.encodings import ENCODINGS
from perception.frames import from_image

HEIGHT, WIDTH = 6, 8
# The encodings with 8 bits a channel of sensor_msgs/image_encodings.hpp
OF_THE_HEADER = (
    *("rgb8", "rgba8", "bgr8", "bgra8", "mono8", "8UC1", "8UC3", "8UC4"),
    *("bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8"),
    *("uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv21", "nv24"),
)
# What every cv_bridge converts to bgr8, and what it only passes on because the names say nothing of colours
BY_CV_BRIDGE = ("bgr8", "rgb8", "bgra8", "rgba8", "mono8", "yuv422", *OF_THE_HEADER[8:12])
PASSED_ON = ("8UC1", "8UC3", "8UC4")


def image(data: np.ndarray, encoding: str, step: int, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """An Image message of these bytes."""
    buffer = array.array("B", data.tobytes())
    return SimpleNamespace(
        height=height, width=width, encoding=encoding, is_bigendian=0, step=step, data=buffer
    )


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, np.uint8)


def bt601(y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """BGR of video-range YUV, all (H, W), as ITU-R BT.601 defines it."""
    luma, u, v = 1.164 * (y.astype(float) - 16), u.astype(float) - 128, v.astype(float) - 128
    bgr = luma + 2.018 * u, luma - 0.391 * u - 0.813 * v, luma + 1.596 * v
    return np.clip(np.dstack(bgr), 0, 255)


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize(
    ("encoding", "columns", "u_first"),
    [("nv16", 4, True), ("nv61", 4, False), ("nv24", 8, True), ("nv42", 8, False)],
)
def test_chroma_of_its_own_plane_belongs_to_the_pixels_above(
    encoding: str, columns: int, u_first: bool, padding: int
) -> None:
    # Values that stay within 0…255 as BGR, so that nothing is hidden by clipping
    luma, chroma = noise(HEIGHT, WIDTH) // 4 + 90, noise(HEIGHT, columns, 2) // 8 + 112
    step = WIDTH + padding
    data = np.full((HEIGHT + HEIGHT * columns * 2 // WIDTH, step), 77, np.uint8)
    data[:HEIGHT, :WIDTH] = luma
    data[HEIGHT:].reshape(HEIGHT, -1)[:, : 2 * columns] = chroma.reshape(HEIGHT, -1)
    u, v = np.moveaxis(chroma.repeat(WIDTH // columns, axis=1), 2, 0)[:: 1 if u_first else -1]

    frame = from_image(image(data, encoding, step))

    assert frame.flags.c_contiguous and frame.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(frame - bt601(luma, u, v)).max() <= 2


def test_nv24_may_have_odd_sides() -> None:
    data = np.full((9, 5), 128, np.uint8)
    data[:3] = 81
    assert (from_image(image(data, "nv24", 5, 3, 5)) == 76).all()  # 1.164 · (81 - 16)


@pytest.mark.parametrize("encoding", OF_THE_HEADER)
def test_every_encoding_of_the_header_is_known(encoding: str) -> None:
    assert encoding in ENCODINGS


@pytest.mark.parametrize(
    ("encoding", "reason", "words"),
    [
        ("8UC2", "encoding", "which colours"),
        ("8UC5", "encoding", "which colours"),
        ("8SC1", "depth", "not unsigned 8 bit"),
        ("8SC3", "depth", "not unsigned 8 bit"),
        ("mono16", "depth", "not unsigned 8 bit"),
        ("bayer_grbg16", "depth", "not unsigned 8 bit"),
        ("32FC", "depth", "not unsigned 8 bit"),
        ("p010", "encoding", "unknown; these are known"),
    ],
)
def test_others_are_refused_with_what_is_wrong(encoding: str, reason: str, words: str) -> None:
    with pytest.raises(FrameError, match=words) as error:
        from_image(image(noise(HEIGHT, WIDTH), encoding, WIDTH))
    assert error.value.reason == reason


@pytest.mark.parametrize(("encoding", "rows"), [("nv16", 12), ("nv24", 18)])
@pytest.mark.parametrize("missing", [-1, 1])
def test_a_plane_too_short_or_too_long_is_refused(encoding: str, rows: int, missing: int) -> None:
    data = noise(rows * WIDTH - missing)
    with pytest.raises(FrameError, match=f"{rows} rows of {WIDTH} bytes") as error:
        from_image(image(data, encoding, WIDTH))
    assert error.value.reason == "data"


def test_a_fallback_reads_what_is_unknown_and_nothing_else() -> None:
    asked: list[str] = []

    def fallback(msg: Any) -> np.ndarray:
        asked.append(msg.encoding)
        return np.full((HEIGHT, WIDTH, 3), 7, np.uint8)

    grey = noise(HEIGHT, WIDTH)
    assert (from_image(image(grey, "p010", WIDTH), fallback=fallback) == 7).all()
    assert (from_image(image(grey, "mono8", WIDTH), fallback=fallback)[..., 0] == grey).all()
    for encoding in ("mono16", "8UC2"):
        with pytest.raises(FrameError, match="set the camera driver"):
            from_image(image(grey, encoding, WIDTH), fallback=fallback)
    assert asked == ["p010"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), "encoding"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint16), "depth"),
        (np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8), "data"),
        (None, "data"),
    ],
)
def test_what_a_fallback_returns_is_checked(answer: Any, reason: str) -> None:
    with pytest.raises(FrameError) as error:
        from_image(image(noise(HEIGHT, WIDTH), "p010", WIDTH), fallback=lambda _: answer)
    assert error.value.reason == reason


def test_a_fallback_that_refuses_adds_its_reason() -> None:
    def fallback(_: Any) -> np.ndarray:
        raise FrameError("data", "no such library")

    with pytest.raises(FrameError, match=r"'p010' is unknown.*; no such library") as error:
        from_image(image(noise(HEIGHT, WIDTH), "p010", WIDTH), fallback=fallback)
    assert error.value.reason == "encoding"


@pytest.mark.parametrize("padding", [0, 24])  # whole pixels of every size, because cv_bridge needs that
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_cv_bridge_reads_the_same_bit_for_bit(encoding: str, padding: int) -> None:
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge comes with ROS 2 only")
    layout = ENCODINGS[encoding]
    step = WIDTH * layout.pixel_bytes + padding
    message = image(noise(HEIGHT * layout.half_rows // 2, step), encoding, step)
    wanted = "passthrough" if encoding in PASSED_ON else "bgr8"
    try:
        expected = cv_bridge.CvBridge().imgmsg_to_cv2(message, desired_encoding=wanted)
    except cv_bridge.CvBridgeError as error:
        assert encoding not in (*BY_CV_BRIDGE, *PASSED_ON)
        pytest.skip(f"this cv_bridge does not read {encoding}: {error}")
    if encoding in PASSED_ON:  # grey becomes three channels, and a fourth one is left out
        expected = np.atleast_3d(expected)[..., :3].repeat(3 if encoding == "8UC1" else 1, axis=2)
    assert np.array_equal(from_image(message), expected)
