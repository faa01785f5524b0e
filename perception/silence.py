"""Silence: OpenCV writes to stderr what its caller then says in one line, with the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def opencv_silent() -> Iterator[None]:
    """OpenCV's log is off within the ``with`` block, in all threads."""
    log = cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(level)
