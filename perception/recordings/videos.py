"""Videos as shots, by OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from perception.errors import InputError
from perception.paths import is_utf8
from perception.recordings.shots import Shot, Source

# FFmpeg reads this when OpenCV first calls it, and then prints no messages of its own beside our one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpg", ".ts")
_FASTEST_HZ = 240.0  # above it, OpenCV reports the ticks of the container's clock
_COMPLETE = 0.95  # share of the frames; some containers only estimate how many they hold


def open_video(path: Path, start_ns: int) -> Source:
    """Find out how many frames a video has, and how fast they are.

    Args:
        path: the file.
        start_ns: stamp of the first shot; a video has no clock.

    Raises:
        InputError: OpenCV cannot read it.
    """
    if not is_utf8(path):  # OpenCV would end the process
        raise InputError(f"{str(path)!r}: the name is not UTF-8, and OpenCV cannot open it; rename it")
    video = _video(path)
    rate_hz, count = video.get(cv2.CAP_PROP_FPS), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    readable, _ = video.read()
    video.release()
    if not readable:
        raise InputError(
            f"{path}: OpenCV cannot read a frame of this video; is it complete, and is its codec known?"
        )
    if count <= 0 or not 0 < rate_hz <= _FASTEST_HZ:
        count, mean_hz = _watch(path)
        rate_hz = rate_hz if 0 < rate_hz <= _FASTEST_HZ else mean_hz or 25.0
    end_ns = start_ns + round(count * 1e9 / rate_hz)
    return Source(path.name, count, rate_hz, end_ns, lambda: _video_shots(path, count, rate_hz, start_ns))


def _video(path: Path) -> cv2.VideoCapture:
    # FFmpeg takes text before a colon as a protocol, but not if it has a slash.
    return cv2.VideoCapture(str(path.absolute()))


def _watch(path: Path) -> tuple[int, float]:
    """Frames and frames per second, counted one by one; 0 per second if there are no times.

    Some containers do not say, such as a plain stream of JPEGs. For a WebM of a browser's recorder, OpenCV
    reports the ticks of its clock.
    """
    video = _video(path)
    times_ms = []
    while video.grab():
        times_ms.append(video.get(cv2.CAP_PROP_POS_MSEC))
    video.release()
    span_ms = times_ms[-1] - times_ms[0] if times_ms else 0.0
    return len(times_ms), 1000.0 * (len(times_ms) - 1) / span_ms if span_ms > 0 else 0.0


def _video_shots(path: Path, count: int, rate_hz: float, start_ns: int) -> Iterator[Shot]:
    video = _video(path)
    try:
        index = 0
        while True:
            begin = time.perf_counter()
            readable, image = video.read()
            read_ms = (time.perf_counter() - begin) * 1000.0
            if not readable:
                break
            stamp = start_ns + round(index * 1e9 / rate_hz)
            yield Shot(stamp, stamp, "", path.name, image.astype(np.uint8, copy=False), None, None, read_ms)
            index += 1
    finally:
        video.release()
    if index < _COMPLETE * count:
        raise InputError(f"{path}: the video breaks off after {index} of {count} frames")
