"""Small real videos for tests, whose frames have the times that the test wants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

TICKS_PER_S = 20


def write_clip(path: Path, ticks: Sequence[int], *, height: int = 48, width: int = 64) -> Path:
    """Write a video (Motion JPEG) with one frame at each of the given twentieths of a second.

    Args:
        path: an MKV, MP4, MOV or AVI; in AVI files, frames follow each other without gaps.
        ticks: rising; frame N shows the grey value N.
        height: px.
        width: px.
    """
    parameters = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1, cv2.VIDEOWRITER_PROP_KEY_INTERVAL, 1]
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, float(TICKS_PER_S), (width, height), parameters)
    assert video.isOpened()
    for number, tick in enumerate(ticks):
        video.set(cv2.VIDEOWRITER_PROP_PTS, tick)
        video.set(cv2.VIDEOWRITER_PROP_KEY_FLAG, 1)
        picture = np.full((height, width, 3), number % 256, np.uint8)
        video.write(cv2.imencode(".jpg", picture)[1].reshape(1, -1))
    video.release()
    return path


def write_plain(path: Path, codec: str, count: int) -> Path:
    """Write a video as OpenCV encodes it, of 20 frames a second."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), float(TICKS_PER_S), (64, 48))
    assert video.isOpened()
    for number in range(count):
        video.write(np.full((48, 64, 3), number * 5 % 256, np.uint8))
    video.release()
    return path
