import array
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from perception import FrameError
from perception.frames import MAX_PIXELS, MAX_SIDE, check, decode, from_compressed, from_image, resize
from perception.recordings.sources import open_source

RED = (0, 0, 255)  # BGR
RED_YUV = (81, 90, 240)  # BT.601, video range


def image(pixels: np.ndarray, encoding: str, *, padding: int = 0, rows: int | None = None) -> SimpleNamespace:
    """An Image message of the given bytes, (rows, columns, bytes per pixel)."""
    step = pixels.shape[1] * pixels.shape[2] + padding
    data = np.full((pixels.shape[0], step), 77, np.uint8)
    data[:, : step - padding] = pixels.reshape(pixels.shape[0], -1)
    return SimpleNamespace(
        height=rows or pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=step,
        data=array.array("B", data.tobytes()),
    )


def filled(*pixel: int, height: int = 6, width: int = 8) -> np.ndarray:
    return np.full((height, width, len(pixel)), pixel, np.uint8)


def bayer(pattern: str) -> np.ndarray:
    """A red scene as a sensor with these colour filters sees it."""
    pixels = np.zeros((6, 8, 1), np.uint8)
    row, column = divmod(pattern.index("r"), 2)
    pixels[row::2, column::2] = 255
    return pixels


def uyvy() -> np.ndarray:
    y, u, v = RED_YUV
    return np.tile(np.array([[u, y], [v, y]], np.uint8), (6, 4, 1))


def two_planes(u_first: bool) -> np.ndarray:
    y, u, v = RED_YUV
    chroma = np.tile(np.array((u, v) if u_first else (v, u), np.uint8), (3, 4))
    return np.concatenate([np.full((6, 8), y, np.uint8), chroma])[..., np.newaxis]


RED_SCENES = {
    "bgr8": filled(0, 0, 255),
    "8UC3": filled(0, 0, 255),
    "rgb8": filled(255, 0, 0),
    "bgra8": filled(0, 0, 255, 9),
    "8UC4": filled(0, 0, 255, 9),
    "rgba8": filled(255, 0, 0, 9),
    "bayer_rggb8": bayer("rggb"),
    "bayer_bggr8": bayer("bggr"),
    "bayer_gbrg8": bayer("gbrg"),
    "bayer_grbg8": bayer("grbg"),
    "yuv422": uyvy(),
    "uyvy": uyvy(),
    "yuv422_yuy2": uyvy()[..., ::-1],
    "yuyv": uyvy()[..., ::-1],
    "nv12": two_planes(u_first=True),
    "nv21": two_planes(u_first=False),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", RED_SCENES)
def test_red_is_red_in_every_encoding(encoding: str, padding: int) -> None:
    frame = from_image(image(RED_SCENES[encoding], encoding, padding=padding, rows=6))
    assert frame.shape == (6, 8, 3)
    assert frame.dtype == np.uint8 and frame.flags.c_contiguous
    assert np.abs(frame.astype(int) - RED).max() <= 2


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_stays_grey(encoding: str) -> None:
    assert (from_image(image(filled(93), encoding, padding=3)) == 93).all()


def test_rows_and_columns_keep_their_positions() -> None:
    scene = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert (from_image(image(scene, "bgr8", padding=7)) == scene).all()
    assert (from_image(image(scene, "rgb8", padding=7)) == scene[..., ::-1]).all()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, np.frombuffer])
def test_data_may_be_any_run_of_bytes(kind: Any) -> None:
    msg = image(RED_SCENES["bgr8"], "bgr8")
    raw = msg.data.tobytes()
    msg.data = np.frombuffer(raw, np.uint8) if kind is np.frombuffer else kind(raw)
    assert (from_image(msg) == RED).all()


def test_bgr8_shares_the_memory_of_the_message_and_cannot_be_altered() -> None:
    msg = image(RED_SCENES["bgr8"], "bgr8")
    frame = from_image(msg)
    assert np.shares_memory(frame, np.frombuffer(msg.data, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0] = 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"height": 0}, "size"),
        ({"width": 0}, "size"),
        ({"height": 1, "width": 1, "data": bytes(24)}, "size"),
        ({"height": 2**32 - 1, "width": 2**32 - 1}, "huge"),
        ({"height": 8001, "width": 8000}, "huge"),
        ({"step": 23}, "step"),
        ({"step": 0}, "step"),
        ({"step": 25}, "data"),
        ({"data": b""}, "data"),
        ({"data": bytes(6 * 24 - 1)}, "data"),
        ({"data": bytes(6 * 24 + 1)}, "data"),
        ({"encoding": ""}, "encoding"),
        ({"encoding": "BGR8"}, "encoding"),
        ({"encoding": "h264"}, "encoding"),
        ({"encoding": "mono16"}, "depth"),
        ({"encoding": "rgb16"}, "depth"),
        ({"encoding": "16UC1"}, "depth"),
        ({"encoding": "32FC1"}, "depth"),
        ({"encoding": "64FC3"}, "depth"),
        ({"encoding": "bayer_rggb16"}, "depth"),
        ({"encoding": "yuyv", "width": 7}, "size"),
        ({"encoding": "nv12", "height": 5}, "size"),
    ],
)
def test_a_bad_image_is_refused_with_its_reason(change: dict[str, Any], reason: str) -> None:
    msg = image(RED_SCENES["bgr8"], "bgr8")
    for name, value in change.items():
        setattr(msg, name, value)
    with pytest.raises(FrameError) as error:
        from_image(msg)
    assert error.value.reason == reason


def street(height: int = 48, width: int = 64) -> np.ndarray:
    """Something with enough detail to make a JPEG of several kilobytes."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 0), np.uint8)


def encoded(extension: str, picture: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(extension, picture, list(options))
    assert done
    return bytes(data)


def compressed(data: Any, form: str = "jpeg") -> SimpleNamespace:
    return SimpleNamespace(format=form, data=data)


def refusal(data: Any, form: str = "jpeg") -> str:
    with pytest.raises(FrameError) as error:
        from_compressed(compressed(data, form))
    return error.value.reason


@pytest.mark.parametrize("form", ["png", "bgr8; png compressed bgr8", "rgb8; png compressed", "jpeg", ""])
def test_a_png_comes_back_unchanged_whatever_the_format_says(form: str) -> None:
    scene = street()
    assert (from_compressed(compressed(encoded(".png", scene), form)) == scene).all()


@pytest.mark.parametrize(
    "options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)]
)
def test_every_kind_of_jpeg_is_read(options: tuple[int, ...]) -> None:
    scene = street()
    frame = from_compressed(compressed(array.array("B", encoded(".jpg", scene, *options))))
    assert frame.shape == scene.shape and frame.flags.c_contiguous
    assert np.abs(frame.astype(int) - scene).mean() < 10


def test_a_jpeg_with_a_thumbnail_and_with_bytes_behind_its_end() -> None:
    data = encoded(".jpg", street())
    thumbnail = encoded(".jpg", street(8, 8))
    tagged = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert from_compressed(compressed(tagged)).shape == (48, 64, 3)
    assert from_compressed(compressed(data + bytes(500))).shape == (48, 64, 3)
    assert refusal(tagged[:-100]) == "jpeg"  # the thumbnail's end mark does not count


def test_grey_and_transparent_pictures_become_bgr() -> None:
    grey = from_compressed(compressed(encoded(".png", street()[..., 0])))
    assert grey.shape == (48, 64, 3) and (grey[..., 0] == grey[..., 2]).all()
    assert from_compressed(compressed(encoded(".jpg", street()[..., 0]))).shape == (48, 64, 3)
    clear = np.dstack([street(), np.full((48, 64), 5, np.uint8)])
    assert (from_compressed(compressed(encoded(".png", clear))) == street()).all()


def test_an_orientation_tag_does_not_turn_the_frame(tmp_path: Path) -> None:
    data = encoded(".jpg", street())
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    tagged = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert from_compressed(compressed(tagged)).shape == (48, 64, 3)
    # But a picture file, of a phone perhaps, is upright, as training reads it.
    upright = decode(tagged, upright=True)
    assert np.abs(np.rot90(upright).astype(int) - decode(data)).mean() < 1
    (tmp_path / "phone.jpg").write_bytes(tagged)
    (shot,) = open_source(tmp_path / "phone.jpg").shots()
    assert np.array_equal(shot.image, upright)


@pytest.mark.parametrize("kept", [3, 20, 200, 700, 0.5, 0.9, -2, -1])
def test_a_truncated_jpeg_is_refused(kept: float) -> None:
    data = encoded(".jpg", street())
    assert refusal(data[: int(kept * len(data)) if isinstance(kept, float) else kept]) == "jpeg"


@pytest.mark.parametrize("kept", [8, 20, 60, 0.5, -12, -1])
def test_a_truncated_png_is_refused(kept: float) -> None:
    data = encoded(".png", street())
    assert refusal(data[: int(kept * len(data)) if isinstance(kept, float) else kept], "png") == "data"


def test_one_wrong_byte_in_a_png_is_detected() -> None:
    data = bytearray(encoded(".png", street()))
    data[len(data) // 2] ^= 1
    assert refusal(data, "png") == "data"


def test_a_jpeg_overwritten_in_the_middle_is_refused() -> None:
    data = bytearray(encoded(".jpg", street(200, 200), cv2.IMWRITE_JPEG_QUALITY, 95))
    data[4000:5000] = np.random.default_rng(1).integers(0, 256, 1000, np.uint8).tobytes()
    assert refusal(data) == "jpeg"


def test_a_jpeg_of_tables_alone_is_refused() -> None:
    assert refusal(b"\xff\xd8\xff\xdb\x00\x04\x00\x00\xff\xd9") == "jpeg"


def test_a_jpeg_with_a_second_frame_header_is_refused() -> None:
    """OpenCV decodes the first, and here that would be 3.6 gigapixels."""
    small = encoded(".jpg", street())
    large = bytearray(small)
    at = large.index(b"\xff\xc0") + 5
    large[at : at + 4] = struct.pack(">HH", 60000, 60000)
    with pytest.raises(FrameError, match="two frame headers"):
        decode(large[:-2] + small[2:])


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_huge_picture_is_refused_before_it_is_decoded(extension: str) -> None:
    data = bytearray(encoded(extension, street()))
    if extension == ".jpg":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 60000, 60000)
    else:
        data[16:24] = struct.pack(">II", 60000, 60000)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    assert refusal(data) == "huge"


@pytest.mark.parametrize(
    ("data", "form", "reason"),
    [
        (b"", "jpeg", "data"),
        (b"\x00" * 100, "jpeg", "encoding"),
        (b"GIF89a" + b"\x00" * 100, "gif", "encoding"),
        (encoded(".png", np.zeros((4, 4), np.uint16)), "mono16; png compressed", "depth"),
        (b"\x00" * 12 + encoded(".png", np.zeros((4, 4), np.uint16)), "16UC1; compressedDepth png", "depth"),
    ],
)
def test_other_bad_pictures_are_refused_with_their_reason(data: bytes, form: str, reason: str) -> None:
    assert refusal(data, form) == reason


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (None, "data"),
        ([[1, 2, 3]], "data"),
        (np.zeros((4, 4), np.uint8), "encoding"),
        (np.zeros((4, 4, 4), np.uint8), "encoding"),
        (np.zeros((4, 4, 3), np.float32), "depth"),
        (np.zeros((0, 4, 3), np.uint8), "size"),
        (np.broadcast_to(np.uint8(0), (8001, 8000, 3)), "huge"),
        (np.broadcast_to(np.uint8(0), (40_000, 1, 3)), "huge"),  # drawing on it would end the process
    ],
)
def test_what_is_no_frame_is_refused(frame: Any, reason: str) -> None:
    with pytest.raises(FrameError) as error:
        check(frame)
    assert error.value.reason == reason


def test_a_frame_of_the_largest_size_is_taken() -> None:
    check(np.broadcast_to(np.uint8(0), (MAX_PIXELS // 8000, 8000, 3)))


def test_resize_averages_when_it_shrinks() -> None:
    board = np.zeros((40, 40, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 200
    assert (resize(board, (20, 20)) == 100).all()


def test_resize_interpolates_when_it_grows() -> None:
    edge = np.zeros((2, 2, 3), np.uint8)
    edge[:, 1] = 200
    assert len(np.unique(resize(edge, (8, 8)))) > 2


@pytest.mark.parametrize("size_hw", [(300, 1920), (1920, 300)])
def test_resize_averages_along_the_side_that_shrinks_and_keeps_things_where_they_are(
    size_hw: tuple[int, int],
) -> None:
    fine = np.indices(size_hw).sum(axis=0) % 2 * 200
    board = np.repeat(fine[..., None], 3, axis=2).astype(np.uint8)
    grey = resize(board, (360, 480)).astype(int)
    assert abs(grey - 100).max() < 20 and abs(grey.mean() - 100) < 1
    ramp = np.zeros((*size_hw, 3), np.uint8)
    height, width = size_hw
    ramp[..., 0] = np.linspace(0, 255, width).round()  # not cut off: its middle would be 127
    ramp[..., 1] = np.linspace(0, 255, height).round()[:, None]
    small = resize(ramp, (360, 480)).astype(int)
    assert abs(small + small[::-1, ::-1] - 255)[..., :2].max() <= 1


def test_resize_does_nothing_where_nothing_is_to_do_and_writes_to_out() -> None:
    scene = street()
    assert resize(scene, (48, 64)) is scene
    batch = np.zeros((2, 48, 64, 3), np.uint8)
    resize(scene, (48, 64), out=batch[1])
    assert (batch[1] == scene).all() and not batch[0].any()


def test_the_largest_and_the_smallest_sides_are_taken_and_one_more_pixel_is_not() -> None:
    for size in ((MAX_SIDE, 1), (1, MAX_SIDE), (1, 2), (2, 1)):
        check(np.broadcast_to(np.uint8(0), (*size, 3)))
    for size, reason in (((MAX_SIDE + 1, 1), "huge"), ((1, MAX_SIDE + 1), "huge"), ((1, 1), "size")):
        with pytest.raises(FrameError) as error:
            check(np.broadcast_to(np.uint8(0), (*size, 3)))
        assert error.value.reason == reason


@pytest.mark.parametrize("encoding", RED_SCENES)
def test_only_encodings_that_share_colour_among_pixels_need_even_sizes(encoding: str) -> None:
    """Pairs of columns share it in YUV 4:2:2, and squares of four pixels in NV12 and NV21."""
    squares = encoding in ("nv12", "nv21")
    pairs = squares or encoding.startswith(("yuv422", "uyvy", "yuyv"))
    pixel_bytes = RED_SCENES[encoding].shape[2]
    for (height, width), refused in (((6, 7), pairs), ((5, 8), squares)):
        rows = height * 3 // 2 if squares else height
        pixels = np.zeros((rows, width, pixel_bytes), np.uint8)
        message = image(pixels, encoding, rows=height)
        if refused:
            with pytest.raises(FrameError) as error:
                from_image(message)
            assert error.value.reason == "size"
        else:
            assert from_image(message).shape == (height, width, 3)
