"""TIFF and WebP: read as they are, and refused by structure before OpenCV takes memory for them."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from perception import FrameError
from perception.frames import decode, from_compressed

COMPRESSION = cv2.IMWRITE_TIFF_COMPRESSION
NONE, LZW, DEFLATE = 1, 5, 8
ORIENTATION = 274


def street(height: int = 48, width: int = 64) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(pixels, (5, 5), 0), np.uint8)


def encoded(extension: str, picture: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(extension, picture, list(options))
    assert done
    return bytes(data)


def by_pillow(form: str, **options: object) -> bytes:
    """The street as Pillow writes it."""
    buffer = io.BytesIO()
    Image.fromarray(street()[..., ::-1]).save(buffer, form, **options)
    return buffer.getvalue()


def animation() -> bytes:
    """A WebP of two pictures, the street first."""
    return by_pillow("WEBP", lossless=True, save_all=True, append_images=[Image.fromarray(street())])


LOSSLESS: dict[str, Callable[[], bytes]] = {
    "TIFF plain": lambda: encoded(".tiff", street(), COMPRESSION, NONE),
    "TIFF LZW": lambda: encoded(".tiff", street(), COMPRESSION, LZW),
    "TIFF deflate": lambda: encoded(".tiff", street(), COMPRESSION, DEFLATE),
    "TIFF big-endian": lambda: big_endian(street()),
    "BigTIFF": lambda: by_pillow("TIFF", big_tiff=True),
    "WebP": lambda: encoded(".webp", street(), cv2.IMWRITE_WEBP_QUALITY, 101),
    "WebP animation": animation,
}


def big_endian(picture: np.ndarray, **changes: int) -> bytes:
    """A plain TIFF of one strip, whose directory comes first.

    Args:
        picture: (H, W, 3) BGR.
        changes: values of fields, by name, instead of what would be right.
    """
    height, width = picture.shape[:2]
    pixels = picture[..., ::-1].tobytes()
    names = ("width", "height", "bits", "compression", "photometric", "offset", "samples", "rows", "bytes")
    tags = (256, 257, 258, 259, 262, 273, 277, 278, 279)
    pixels_at = 8 + 2 + 12 * len(tags) + 4 + 6
    right = dict(zip(names, (width, height, 8, NONE, 2, pixels_at, 3, height, len(pixels))))
    values = (right | changes).values()
    fields = b""
    for tag, value in zip(tags, values):
        # The bits of three channels do not fit in a field, and follow behind the directory.
        fields += struct.pack(">HHII", tag, *((3, 3, pixels_at - 6) if tag == 258 else (4, 1, value)))
    bits = struct.pack(">HHH", *[(right | changes)["bits"]] * 3)
    return b"MM\0*" + struct.pack(">IH", 8, len(tags)) + fields + bytes(4) + bits + pixels


def refusal(data: bytes) -> FrameError:
    with pytest.raises(FrameError) as error:
        decode(data)
    return error.value


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("form", ["tiff", "bgr8; tiff compressed bgr8", "webp", "jpeg", ""])
def test_a_lossless_picture_comes_back_unchanged_whatever_the_format_says(kind: str, form: str) -> None:
    frame = from_compressed(SimpleNamespace(format=form, data=LOSSLESS[kind]()))
    assert np.array_equal(frame, street()) and frame.flags.c_contiguous


def test_grey_transparent_and_lossy_pictures_become_bgr() -> None:
    grey = decode(encoded(".tiff", street()[..., 0]))
    assert np.array_equal(grey, np.repeat(street()[..., :1], 3, axis=2))
    clear = np.dstack([street(), np.full((48, 64), 255, np.uint8)])
    assert np.array_equal(decode(encoded(".tiff", clear)), street())
    lossy = decode(encoded(".webp", street(), cv2.IMWRITE_WEBP_QUALITY, 95))
    assert lossy.shape == (48, 64, 3) and np.abs(lossy.astype(int) - street()).mean() < 15


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("kept", [14, 20, 40, 0.5, 0.9, -2])
def test_a_cut_picture_is_refused(kind: str, kept: float) -> None:
    data = LOSSLESS[kind]()
    error = refusal(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    assert error.reason == "data" and "OpenCV" not in str(error)


def test_bytes_behind_the_end_do_no_harm() -> None:
    for data in (LOSSLESS["TIFF LZW"](), LOSSLESS["WebP"]()):
        assert np.array_equal(decode(data + bytes(300)), street())


@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_tag_does_not_turn_the_frame(turn: int) -> None:
    """OpenCV applies the one of a TIFF even if it is asked not to."""
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    tiff = by_pillow("TIFF", tiffinfo={ORIENTATION: turn})
    assert np.array_equal(decode(tiff), street())
    assert np.array_equal(decode(by_pillow("WEBP", lossless=True, exif=exif)), street())
    assert decode(tiff, upright=True).shape == ((48, 64, 3) if turn < 5 else (64, 48, 3))


def test_an_orientation_tag_of_a_file_is_applied() -> None:
    assert np.array_equal(
        decode(by_pillow("TIFF", tiffinfo={ORIENTATION: 3}), upright=True), street()[::-1, ::-1]
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int8])
def test_values_of_another_type_are_refused(dtype: type) -> None:
    assert refusal(encoded(".tiff", street().astype(dtype), COMPRESSION, NONE)).reason == "depth"


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"width": 60_000, "height": 60_000, "rows": 1}, "data", "1 of 60000 parts"),
        ({"width": 60_000, "height": 60_000, "rows": 60_000, "compression": 8}, "huge", "60000x60000"),
        ({"width": 2**32 - 1, "height": 2**32 - 1, "rows": 2**32 - 1, "compression": 5}, "huge", "limit"),
        ({"height": 49, "rows": 49}, "data", "fewer bytes"),
        ({"offset": 2**32 - 1}, "data", "cut short"),
        ({"bytes": 2**32 - 1}, "data", "cut short"),
        ({"bytes": 0}, "data", "fewer bytes"),
        ({"rows": 0}, "data", "64x0 pixels"),
        ({"samples": 0}, "data", "0 channels"),
        ({"bits": 16}, "data", "fewer bytes"),
        ({"bits": 16, "compression": 8}, "depth", "16 bits"),
        ({"width": 0, "height": 0}, "data", "0x0 pixels"),
    ],
)
def test_a_tiff_whose_fields_cannot_be_is_refused(changes: dict[str, int], reason: str, words: str) -> None:
    error = refusal(big_endian(street(), **changes))
    assert error.reason == reason and words in str(error)


def test_a_tiff_of_tiles_is_read_and_one_of_giant_tiles_refused() -> None:
    fields = {256: 64, 257: 64, 258: 0, 259: NONE, 262: 2, 277: 3, 322: 64, 323: 64, 324: 0, 325: 64 * 64 * 3}
    bits_at = 8 + 2 + 12 * len(fields) + 4
    fields |= {258: bits_at, 324: bits_at + 6}
    data = b"MM\0*" + struct.pack(">IH", 8, len(fields))
    for tag, value in fields.items():
        data += struct.pack(">HHII", tag, *((3, 3) if tag == 258 else (4, 1)), value)
    data += bytes(4) + struct.pack(">HHH", 8, 8, 8) + street(64, 64)[..., ::-1].tobytes()
    assert np.array_equal(decode(data), street(64, 64))
    giant = data.replace(struct.pack(">HHII", 322, 4, 1, 64), struct.pack(">HHII", 322, 4, 1, 2**24))
    assert "tiles of 16777216x64" in str(refusal(giant))


def test_a_huge_webp_is_refused_before_it_is_decoded() -> None:
    lossy = bytearray(encoded(".webp", street(), cv2.IMWRITE_WEBP_QUALITY, 80))
    at = lossy.index(b"\x9d\x01\x2a") + 3
    lossy[at : at + 4] = struct.pack("<HH", 16_000, 16_000)
    assert refusal(bytes(lossy)).reason == "huge"
    lossless = bytearray(LOSSLESS["WebP"]())
    lossless[21:25] = struct.pack("<I", 15_999 | 15_999 << 14)
    assert refusal(bytes(lossless)).reason == "huge"
    canvas = bytearray(animation())
    canvas[24:30] = b"\xff" * 6
    assert refusal(bytes(canvas)).reason == "huge"


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        (b"", "without a picture"),
        (b"EXIF" + struct.pack("<I", 2) + b"ab", "without a picture"),
        (b"VP8 " + struct.pack("<I", 10) + bytes(10), "corrupt at byte 23"),
        (b"VP8L" + struct.pack("<I", 10) + bytes(10), "corrupt at byte 20"),
        (b"VP8L" + struct.pack("<I", 11) + bytes(10), "goes beyond its end"),
    ],
)
def test_a_webp_without_a_sound_picture_is_refused(chunks: bytes, words: str) -> None:
    error = refusal(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks)
    assert error.reason == "data" and words in str(error)


def test_no_change_of_bytes_does_more_than_spoil_the_picture() -> None:
    random = np.random.default_rng(1)
    seeds = [write() for write in LOSSLESS.values()]
    for count in range(2000):
        data = bytearray(seeds[count % len(seeds)])
        for _ in range(random.integers(1, 4)):
            near_an_end = int(random.integers(0, 64)), len(data) - int(random.integers(1, 320))
            data[near_an_end[random.integers(2)]] = random.integers(256)
        with contextlib.suppress(FrameError):
            assert decode(data).shape[2:] == (3,)
