"""cv_bridge, where it is installed: it reads encodings that perception.frames does not know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from perception.errors import FrameError
from perception.frames import Frame


class Bridge:
    """A fallback for ``perception.frames.from_image``. It loads cv_bridge when the first frame needs it.

    Args:
        announce: is given one sentence about each encoding that cv_bridge reads, once.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._lock = threading.Lock()
        self._convert: Callable[..., Any] | None = None
        self._missing = ""
        self._encodings: list[str] = []

    @property
    def encodings(self) -> tuple[str, ...]:
        """What cv_bridge has read so far."""
        with self._lock:
            return tuple(self._encodings)

    def __call__(self, msg: Any) -> Frame:
        """Convert an Image to (H, W, 3) uint8 BGR.

        Raises:
            FrameError: reason encoding; cv_bridge is missing, or does not read this image.
        """
        convert = self._loaded()
        try:
            frame: Frame = convert(msg, desired_encoding="bgr8")
        except Exception as error:  # whatever a foreign library makes of a camera's bytes
            raise FrameError(
                "encoding", f"cv_bridge does not read it either: {_first_line(error)}"
            ) from error
        encoding = str(msg.encoding)
        with self._lock:
            is_new = encoding not in self._encodings
            if is_new:
                self._encodings.append(encoding)
        if is_new:
            self._announce(f"encoding {encoding!r} is read by cv_bridge")
        return frame

    def _loaded(self) -> Callable[..., Any]:
        if self._convert is None and not self._missing:
            try:
                from cv_bridge import CvBridge

                self._convert = CvBridge().imgmsg_to_cv2
            except ModuleNotFoundError as error:
                self._missing = "cv_bridge, which may read it, is not installed here"
                if error.name != "cv_bridge":
                    self._missing = f"cv_bridge, which may read it, does not load: {_first_line(error)}"
            except Exception as error:  # one that was compiled for another numpy raises many kinds
                self._missing = f"cv_bridge, which may read it, does not load: {_first_line(error)}"
        if self._convert is None:
            raise FrameError("encoding", self._missing)
        return self._convert


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
