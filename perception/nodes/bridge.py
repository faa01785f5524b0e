"""cv_bridge, where it is installed: it reads encodings that perception.frames does not know."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from perception.errors import FrameError
from perception.frames import Frame
from perception.processes import tied_to_parent

TRIAL_S = 30.0
_TRIAL = """
from types import SimpleNamespace
from cv_bridge import CvBridge
image = SimpleNamespace(height=1, width=2, encoding="rgb8", step=6, data=bytes(6), is_bigendian=0)
if CvBridge().imgmsg_to_cv2(image, desired_encoding="bgr8").shape != (1, 2, 3):
    raise ValueError("an image of another size came back")
"""


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
            self._missing = _why_unusable()
            if not self._missing:
                from cv_bridge import CvBridge

                self._convert = CvBridge().imgmsg_to_cv2
        if self._convert is None:
            raise FrameError("encoding", self._missing)
        return self._convert


def _why_unusable() -> str:
    """Why there is no cv_bridge that works here; empty if there is one.

    It is tried in a process of its own, because one that was compiled for another numpy crashes.
    """
    if importlib.util.find_spec("cv_bridge") is None:
        return "cv_bridge, which may read it, is not installed here"
    command = [*tied_to_parent(), sys.executable, "-c", _TRIAL]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        trial = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cv_bridge, which may read it, does not load: {error}"
    if trial.returncode < 0:
        return f"cv_bridge, which may read it, crashes (signal {-trial.returncode}); does its numpy fit?"
    if trial.returncode:
        last_line = "".join(trial.stderr.strip().splitlines()[-1:])
        return f"cv_bridge, which may read it, does not load: {last_line}"
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
