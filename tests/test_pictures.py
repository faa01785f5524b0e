"""A picture file is read as it looks, or refused with a reason; the name of a file decides nothing."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception import pictures
from perception.errors import FrameError

ROWS, COLUMNS = np.mgrid[0:40, 0:60]
PICTURE = np.dstack([4 * COLUMNS, 6 * ROWS, 255 - 2 * (ROWS + COLUMNS)]).astype(np.uint8)
GREY = PICTURE[..., 1]
TURNED = {
    1: PICTURE,
    2: PICTURE[:, ::-1],
    3: PICTURE[::-1, ::-1],
    4: PICTURE[::-1],
    5: PICTURE.transpose(1, 0, 2),
    6: np.rot90(PICTURE, -1),
    7: np.rot90(PICTURE.transpose(1, 0, 2), 2),
    8: np.rot90(PICTURE),
}


def encode(suffix: str, picture: np.ndarray, *parameters: int) -> bytes:
    return cv2.imencode(suffix, picture, parameters)[1].tobytes()


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def with_exif(webp: bytes, exif: bytes) -> bytes:
    """A WebP with a chunk of EXIF behind its picture."""
    data = webp + b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:]


def tiff(values: np.ndarray, colors: int, *, kind: int = 1, pages: int = 1, **more: int) -> bytes:
    """An uncompressed TIFF in one strip.

    Args:
        values: (H, W) or (H, W, C), in the order of the file.
        colors: the tag PhotometricInterpretation.
        kind: the tag SampleFormat.
        pages: so many, all of them of the same pixels.
        more: ``extra`` (the tag ExtraSamples), ``orientation``.
    """
    height, width, samples = values.shape if values.ndim == 3 else (*values.shape, 1)
    strip = values.tobytes()
    numbers = {256: width, 257: height, 258: 8 * values.itemsize, 259: 1, 262: colors, 273: 8, 277: samples}
    numbers |= {278: height, 279: len(strip), 339: kind}
    numbers |= {{"extra": 338, "orientation": 274}[name]: value for name, value in more.items()}
    size = 2 + 12 * len(numbers) + 4 + 4 * samples
    data = b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip
    for page in range(pages):
        behind = len(data) + 2 + 12 * len(numbers) + 4
        channels = {258: behind, 339: behind + 2 * samples}  # one value for each, which may not fit in
        data += struct.pack("<H", len(numbers))
        for tag, value in sorted(numbers.items()):
            if tag in channels and samples > 2:
                data += struct.pack("<HHII", tag, 3, samples, channels[tag])
            elif tag in (273, 279):
                data += struct.pack("<HHII", tag, 4, 1, value)
            else:
                data += struct.pack("<HHIHH", tag, 3, 1, value, 0)
        data += struct.pack("<I", len(data) + size - 2 - 12 * len(numbers) if page < pages - 1 else 0)
        data += struct.pack(f"<{2 * samples}H", *samples * [numbers[258]], *samples * [kind])
    return data


@pytest.mark.parametrize("kind", [".png", ".bmp", ".ppm", ".tif", ".webp"])
@pytest.mark.parametrize("name", ["a.jpg", "A.JPG", "a.png", "picture"])
def test_the_data_decides_and_not_the_name(tmp_path: Path, kind: str, name: str) -> None:
    lossless = (cv2.IMWRITE_WEBP_QUALITY, 101) if kind == ".webp" else ()
    path = put(tmp_path, name, encode(kind, PICTURE, *lossless))
    assert np.array_equal(pictures.read(path), PICTURE)


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_an_orientation_is_applied_in_every_format(tmp_path: Path, suffix: str, orientation: int) -> None:
    tag = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + 7 * b"\0"
    if suffix == ".tif":
        data = tiff(PICTURE[..., ::-1], 2, orientation=orientation)
    elif suffix == ".webp":
        data = with_exif(encode(".webp", PICTURE, cv2.IMWRITE_WEBP_QUALITY, 101), tag)
    else:
        png = encode(".png", PICTURE)
        chunk = b"eXIf" + tag
        header = 33  # bytes up to the end of IHDR
        data = (
            png[:header]
            + struct.pack(">I", len(tag))
            + chunk
            + struct.pack(">I", zlib.crc32(chunk))
            + png[header:]
        )
    read = pictures.read(put(tmp_path, f"a{suffix}", data))
    assert np.array_equal(read, TURNED[orientation])


@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0", b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0\x01\0" + 20 * b"\xff"]
)
def test_an_orientation_that_cannot_be_read_is_none(tmp_path: Path, exif: bytes) -> None:
    data = with_exif(encode(".webp", PICTURE, cv2.IMWRITE_WEBP_QUALITY, 101), exif)
    assert np.array_equal(pictures.read(put(tmp_path, "a.webp", data)), PICTURE)


def test_an_orientation_behind_the_prefix_of_jpeg_is_applied(tmp_path: Path) -> None:
    tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03" + 7 * b"\0"
    data = with_exif(encode(".webp", PICTURE, cv2.IMWRITE_WEBP_QUALITY, 101), tag)
    assert np.array_equal(pictures.read(put(tmp_path, "a.webp", data)), PICTURE[::-1, ::-1])


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_is_left_out(tmp_path: Path, suffix: str) -> None:
    alpha = np.dstack([PICTURE, (4 * COLUMNS).astype(np.uint8)])
    lossless = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()
    read = pictures.read(put(tmp_path, f"a{suffix}", encode(suffix, alpha, *lossless)))
    visible = alpha[..., 3] > 0
    assert np.array_equal(read[visible], PICTURE[visible])


def test_a_tiff_whose_colours_opencv_would_darken_is_refused(tmp_path: Path) -> None:
    alpha = np.dstack([PICTURE[..., ::-1], 255 - GREY])
    with pytest.raises(FrameError, match="TIFF with transparent pixels; save it without transparency"):
        pictures.read(put(tmp_path, "a.tif", tiff(alpha, 2, extra=2)))
    alpha[..., 3] = 255
    assert np.array_equal(pictures.read(put(tmp_path, "a.tif", tiff(alpha, 2, extra=2))), PICTURE)


@pytest.mark.parametrize(
    ("data", "reason", "message"),
    [
        (tiff(GREY.astype(np.float32), 1, kind=3), "depth", "floating-point values of 32 bits a channel"),
        (tiff(GREY.astype(np.int8), 1, kind=2), "depth", "signed values of 8 bits a channel"),
        (tiff(GREY.astype(np.uint16), 1), "depth", "16 bits a channel; save it with 8"),
        (encode(".png", GREY.astype(np.uint16)), "depth", "more than 8 bits a channel; save it with 8"),
        (tiff(PICTURE, 8), "encoding", "a TIFF of CIELab; save it as RGB"),
        (tiff(GREY, 32803), "encoding", "raw camera data"),
        (tiff(GREY, 1)[:-40], "data", "TIFF is cut short"),
        (b"II*\0" + 4 * b"\xff", "data", "TIFF is cut short"),
        (b"II+\0" + 12 * b"\xff", "data", "TIFF is cut short"),
        (b"P5 2 2 15\n" + bytes(4), "depth", "values up to 15; save it with values up to 255"),
        (b"P5 # of a camera\n2 2\n65535\n" + bytes(8), "depth", "values up to 65535; save it with 8 bits"),
        (encode(".bmp", PICTURE)[:-2000], "data", "a BMP that is damaged, or that OpenCV cannot read"),
        (encode(".webp", PICTURE)[:-20], "data", "WebP is cut short"),
        (b"", "data", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "encoding", "a Git LFS pointer.*; git lfs pull"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "encoding", "a HEIC picture.*; convert it to JPEG or PNG"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "encoding", "an AVIF picture.*; convert it"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "encoding", "a video"),
        (b"\0\x05\x16\x07\0\2\0\0Mac OS X", "encoding", "an AppleDouble file"),
        (b"<!DOCTYPE html><title>404", "encoding", "a web page, as a failed download leaves it"),
        (1000 * b"\0", "encoding", "zero bytes alone"),
        (b"no picture", "encoding", "a text file, which cannot be read as a picture"),
        (bytes(range(256)), "encoding", "a file of an unknown kind"),
    ],
)  # fmt: skip
def test_what_is_no_picture_to_read_is_named(
    tmp_path: Path, data: bytes, reason: str, message: str, capfd: pytest.CaptureFixture
) -> None:
    with pytest.raises(FrameError, match=message) as error:
        pictures.read(put(tmp_path, "a.jpg", data))
    assert error.value.reason == reason
    assert "camera driver" not in str(error.value)
    assert not capfd.readouterr().err


@pytest.mark.skipif(not cv2.haveImageWriter(".gif"), reason="an OpenCV without GIF")
def test_a_gif_with_transparent_pixels_is_refused(tmp_path: Path) -> None:
    data = encode(".gif", np.dstack([PICTURE, np.where(COLUMNS < 9, 0, 255).astype(np.uint8)]))
    with pytest.raises(FrameError, match="GIF with transparent pixels"):
        pictures.read(put(tmp_path, "a.gif", data))


def test_a_link_to_nowhere_says_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/no/such.jpg")
    with pytest.raises(FrameError, match=r"a link to /no/such\.jpg, which does not exist"):
        pictures.read(tmp_path / "a.jpg")


def test_two_pixels_are_a_picture_and_one_is_none(tmp_path: Path) -> None:
    assert pictures.read(put(tmp_path, "a.bmp", encode(".bmp", PICTURE[:1, :2]))).shape == (1, 2, 3)
    for suffix in (".bmp", ".png", ".tif", ".webp"):
        with pytest.raises(FrameError, match="image of 1x1 pixels"):
            pictures.read(put(tmp_path, "a", encode(suffix, PICTURE[:1, :1])))


def test_of_several_pages_the_first_is_read(tmp_path: Path) -> None:
    read = pictures.read(put(tmp_path, "a.tif", tiff(GREY, 1, pages=3)))
    assert np.array_equal(read, np.dstack(3 * [GREY]))


def test_a_label_image_holds_one_byte_a_pixel(tmp_path: Path) -> None:
    ids = GREY // 32
    assert (pictures.read_ids(put(tmp_path, "ids.png", encode(".png", ids))) == ids).all()
    for name, data, problem in (
        ("colours.png", encode(".png", PICTURE), "colours"),
        ("deep.png", encode(".png", ids.astype(np.uint16)), "uint16"),
        ("bits.png", encode(".png", (GREY > 99).astype(np.uint8), cv2.IMWRITE_PNG_BILEVEL, 1), "1-bit"),
    ):
        with pytest.raises(FrameError, match=problem) as caught:
            pictures.read_ids(put(tmp_path, name, data))
        assert caught.value.reason == "encoding"


def test_a_file_that_may_not_be_read_says_so_even_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "folder.png")
    for name in ("folder.png", "link.png"):
        with pytest.raises(FrameError, match="cannot be read: Is a directory"):
            pictures.read(tmp_path / name)


@pytest.mark.parametrize("picture", [PICTURE, GREY])
def test_what_is_written_is_read_again(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / os.fsdecode(b"\xe9.png")  # a name that is not UTF-8 ends a process that uses imwrite
    pictures.write(path, picture)
    read = pictures.read(path) if picture.ndim == 3 else pictures.read_ids(path)
    assert np.array_equal(read, picture)


def test_a_full_disk_is_an_error_with_the_pictures_name(full_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        pictures.write(full_disk / "frame.png", PICTURE)
    assert caught.value.filename == str(full_disk / "frame.png")
