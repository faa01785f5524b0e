"""Annotated frames as numbered pictures, or as one video."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.errors import InputError
from perception.paths import is_utf8, replacing

Overlay = Literal["frames", "video", "none"]
OVERLAYS: tuple[Overlay, ...] = ("frames", "video", "none")
MAX_VIDEO_HZ = 240.0  # some bags and videos claim more, which MPEG-4 cannot hold


class Overlays:
    """Writes annotated frames as numbered pictures or as one video; use it with ``with``."""

    def __init__(self, out: Path, kind: Overlay, *, rate_hz: float) -> None:
        self.wanted = kind != "none"
        self._out, self._kind, self._rate_hz = out, kind, rate_hz
        self._count = 0
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._kind == "frames":
            _, data = cv2.imencode(".jpg", picture)  # imwrite ends the process if a name is not UTF-8
            with replacing(self._out / "overlay" / f"{self._count:06d}.jpg") as path:
                path.write_bytes(data.tobytes())
        elif self._kind == "video":
            if self._video is None:
                self._size = (picture.shape[1], picture.shape[0])
                codec = cv2.VideoWriter.fourcc(*"mp4v")
                # MPEG-4 cannot hold every rate.
                rate_hz = min(max(1.0, round(self._rate_hz, 2)), MAX_VIDEO_HZ)
                path = self._out / "overlay.mp4"
                # Absolute, because FFmpeg takes text before a colon as a protocol.
                self._video = cv2.VideoWriter(str(path.absolute()), codec, rate_hz, self._size)
                if not self._video.isOpened():
                    what = "{}×{} px at {} Hz".format(*self._size, rate_hz)
                    raise InputError(
                        f"{path}: OpenCV cannot write a video of {what} there; try --overlay frames"
                    )
            self._video.write(cv2.resize(picture, self._size))  # all frames of a video have one size
        self._count += 1

    def __enter__(self) -> Overlays:
        folder = self._out / "overlay"
        if self._kind == "frames" and folder.exists():  # pictures of a longer run would remain in it
            raise InputError(f"{folder} exists already; remove it or write elsewhere")
        if self._kind == "video" and not is_utf8(self._out):
            raise InputError(f"{str(self._out)!r} is not UTF-8, and OpenCV cannot write a video there")
        return self

    def __exit__(self, *_: object) -> None:
        if self._video is not None:
            self._video.release()
