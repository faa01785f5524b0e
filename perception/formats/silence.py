"""Silence: OpenCV writes to stderr what its caller then says in one line, with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

_LOG: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging  # of OpenCV 4, and 5
_OFF = 0


@contextmanager
def opencv_silent() -> Iterator[None]:
    """OpenCV's log is off within the ``with`` block, in all threads."""
    level = _LOG.getLogLevel()
    _LOG.setLogLevel(_OFF)
    try:
        yield
    finally:
        _LOG.setLogLevel(level)
