"""Kinds of files by their first bytes, whatever their names say."""

from __future__ import annotations

from pathlib import Path

from perception.formats.jpeg_png import JPEG, PNG
from perception.formats.tiff_webp import TIFF

HEAD = 512  # bytes that :func:`picture` and :func:`foreign` look at
VIDEO_SUFFIXES = (
    *(".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpg", ".mjpeg", ".ts", ".mts"),
    *(".m2ts", ".gif", ".3gp", ".3g2", ".flv", ".wmv", ".asf", ".ogv", ".vob", ".y4m", ".dv"),
    *(".h264", ".264", ".h265", ".265", ".hevc"),
)
VIDEO, FOLDER, HEIC, TEXT, EMPTY = "video", "folder", "HEIC picture", "text file", "empty file"
POINTER, UNKNOWN = "Git LFS pointer", "file of an unknown kind"

_PICTURES = (
    (JPEG, "JPEG"),
    (PNG, "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    *((start, "TIFF") for start in TIFF),
)
_FOREIGN = (
    (b"version https://git-lfs", POINTER),
    (b"\x00\x05\x16\x07", "AppleDouble file, which macOS puts beside another"),
    (b"\x1a\x45\xdf\xa3", VIDEO),  # Matroska, WebM
    (b"FLV\x01", VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", VIDEO),  # WMV
    (b"OggS", VIDEO),
    (b"YUV4MPEG2", VIDEO),
    (b"\0\0\1\xba", VIDEO),  # MPEG
    (b"\0\0\1\xb3", VIDEO),
    (b"\0\0\0\x0cjP  ", "JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "JPEG 2000 picture"),
    (b"\xff\x0a", "JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "JPEG XL picture"),
    (b"Pf\n", "PFM picture"),
    (b"PF\n", "PFM picture"),
    (b"8BPS", "Photoshop document"),
    (b"%PDF", "PDF document"),
    (b"\0\0\1\0", "icon"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), HEIC),
    **dict.fromkeys((b"avif", b"avis"), "AVIF picture"),
}
_START_CODES = (b"\0\0\0\1", b"\0\0\1")  # of H.264 and H.265
_PROGRAM_STREAM = b"\0\0\1\xba"

_CONVERT = "convert it to JPEG or PNG"
_ADVICE = {
    VIDEO: "give it to perception run as an input of its own",
    FOLDER: "give it to perception run as an input of its own",
    HEIC: f"{_CONVERT}, for example by heif-convert, or let the phone take JPEG (“Most Compatible”)",
    POINTER: "git lfs pull fetches the file itself",
}


def picture(head: bytes) -> str | None:
    """JPEG, PNG, GIF, TIFF, WebP, BMP or PNM, given a file's first bytes; None if it is none of them."""
    for start, name in _PICTURES:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    return "PNM" if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() else None


def foreign(head: bytes) -> str:
    """What a file is that is not a picture to read, given its first bytes: a noun for people."""
    if not head:
        return EMPTY
    for start, name in _FOREIGN:
        if head.startswith(start):
            return name
    if _is_video(head):
        return _BRANDS.get(head[8:12], VIDEO)
    if not any(head):
        return "file of zero bytes alone, as a power failure leaves it"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:5].lower() in (b"<!doc", b"<html"):
        return "web page, as a failed download leaves it"
    return TEXT if _is_text(head) else UNKNOWN


def advice(kind: str) -> str:
    """What to do with a file of a kind that :func:`foreign` names; empty where that depends."""
    return _ADVICE.get(kind, _CONVERT if kind.endswith((" picture", " document")) else "")


def with_article(noun: str) -> str:
    """The noun after "a" or "an"."""
    return ("an " if noun[0] in "aeiouAEIOU" else "a ") + noun


def is_plain_stream(path: Path) -> bool:
    """Whether a video is a bare stream of pictures (Motion JPEG, H.264, H.265), which holds no times."""
    with path.open("rb") as file:
        head = file.read(4)
    return head.startswith((JPEG, *_START_CODES)) and head != _PROGRAM_STREAM


def _is_video(head: bytes) -> bool:
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return True
    packets = head[0], *head[188:189], *head[376:377]  # of an MPEG transport stream
    return packets == (0x47,) * 3


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a letter was cut in two
            return False
        text = head[: error.start].decode()
    return all(letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in text)
