"""Videos as shots, by OpenCV. Each frame has the time that the file gives it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from perception.errors import InputError
from perception.formats.kinds import VIDEO_SUFFIXES as SUFFIXES
from perception.formats.kinds import is_plain_stream
from perception.formats.silence import opencv_silent
from perception.paths import is_utf8
from perception.recordings.containers import is_cut
from perception.recordings.shots import Shot, Source

# FFmpeg reads this when OpenCV first calls it, and then prints no messages of its own beside our one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# So many packets of sound may come between two pictures, as where a recorded screen stands still. OpenCV
# itself allows 4096, and the video would end there.
os.environ.setdefault("OPENCV_FFMPEG_READ_ATTEMPTS", "1000000")

__all__ = ["SUFFIXES", "open_video"]

_log = logging.getLogger(__name__)
_FASTEST_HZ = 240.0  # above it, OpenCV reports the ticks of the container's clock
_USUAL_HZ = 25.0  # of a file that says nothing; FFmpeg takes it, too
_LONGEST_MS = 3_600_000.0  # a longer pause between frames is a broken clock
_COMPLETE = 0.95  # share of the duration, which some containers only estimate


@dataclass(frozen=True)
class _Plan:
    """What a video says about itself.

    Attributes:
        count: frames that are in the file, whether or not they can be decoded.
        rate_hz: their mean rate.
        span_s: from the first frame to the end of the last one.
        duration_s: of the file, with sound; None if it does not say.
    """

    count: int
    rate_hz: float
    span_s: float
    duration_s: float | None


def open_video(path: Path, start_ns: int) -> Source:
    """Find out how many frames a video has, and when they were taken.

    Args:
        path: the file.
        start_ns: stamp of the first shot; the times in a video count from there.

    Raises:
        InputError: OpenCV cannot read it.
    """
    if not is_utf8(path):  # OpenCV would end the process
        raise InputError(f"{str(path)!r}: the name is not UTF-8, and OpenCV cannot open it; rename it")
    video = _video(path)
    said_hz, said_count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    codec = int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
    readable, _ = video.read()
    start_s = _start_s(video, said_hz)
    video.release()
    if not readable:
        name = f" {codec.decode()}" if codec.isalnum() else ""
        raise InputError(
            f"{path}: OpenCV cannot read a frame of this video; is it complete? If so, its codec{name} is "
            "unknown there; convert it: ffmpeg -i VIDEO -c:v libx264 NEW.mp4"
        )
    plan = _plan(path, said_hz, said_count, start_s)
    end_ns = start_ns + round(plan.span_s * 1e9)
    return Source(path.name, plan.count, plan.rate_hz, end_ns, lambda: _video_shots(path, plan, start_ns))


def _video(path: Path) -> cv2.VideoCapture:
    # FFmpeg takes text before a colon as a protocol, but not if it has a slash.
    with opencv_silent():
        return cv2.VideoCapture(str(path.absolute()))


def _start_s(video: cv2.VideoCapture, said_hz: float) -> float:
    """The time of a first frame on the file's clock, by which MKV files give their duration."""
    # OpenCV 4.6 has no such property.
    start_s = video.get(cv2.CAP_PROP_PTS) / said_hz if said_hz > 0 and hasattr(cv2, "CAP_PROP_PTS") else 0.0
    return start_s if 0 < start_s < 1e6 else 0.0


def _plan(path: Path, said_hz: float, said_count: float, start_s: float) -> _Plan:
    times_ms = _times_ms(path)
    count = len(times_ms) or max(int(said_count), 1)
    span_ms = times_ms[-1] - times_ms[0] if times_ms else 0.0
    is_rate = 0 < said_hz <= _FASTEST_HZ
    duration_s = said_count / said_hz if said_count > 0 and said_hz > 0 else None
    distinct = len(set(times_ms))
    # A frame every hour would be slow, and OpenCV 4 gives such times if the rate is below 0.33.
    is_plausible = 0 < span_ms < count * _LONGEST_MS
    mean_hz = 1000.0 * (distinct - 1) / span_ms if is_plausible else None
    rate_hz = mean_hz or _USUAL_HZ
    # Times are often rounded to milliseconds, and MPEG files leave some out; the rate that the file gives is
    # exact then. But it may be that of the camera, whether or not all of its frames are there.
    if is_rate and (mean_hz is None or distinct < count or abs(mean_hz / said_hz - 1) < 0.01):
        rate_hz = said_hz
        counted_ms = (count - 1) * 1000.0 / rate_hz
        span_ms = max(span_ms, counted_ms) if is_plausible else counted_ms
    if (distinct < 2 <= count) or is_plain_stream(path):
        _log.warning(
            "%s: this file holds no times, so its frames are stamped as %g a second; a container such as MP4 "
            "keeps them",
            path,
            rate_hz,
        )
    span_s = span_ms / 1000.0 + 1.0 / rate_hz
    if duration_s is not None and duration_s - start_s > 0:
        duration_s = min(duration_s, max(span_s, duration_s - start_s))
    return _Plan(count, rate_hz, span_s, duration_s)


def _times_ms(path: Path) -> list[float]:
    """The times of all frames in a file, sorted."""
    times_ms = _grabbed_ms(path, decoded=False)
    if len(set(times_ms)) < 2:  # OpenCV 4.6 knows the times of decoded frames alone
        times_ms = _grabbed_ms(path, decoded=True)
    return sorted(times_ms)


def _grabbed_ms(path: Path, *, decoded: bool) -> list[float]:
    video = _video(path)
    times_ms = []
    if decoded or video.set(cv2.CAP_PROP_FORMAT, -1):  # -1: as they are in the file, which is much faster
        while video.grab():
            times_ms.append(video.get(cv2.CAP_PROP_POS_MSEC))
    video.release()
    return times_ms


class _Clock:
    """Times of a video's frames, from 0 and always rising, whatever the file says.

    Args:
        period_ms: between frames where the file does not say.
    """

    def __init__(self, period_ms: float) -> None:
        self._period_ms = period_ms
        self._now_ms: float | None = None
        self._known_ms = self._read_ms = 0.0  # the last time that was believed: here, and in the file
        self._doubted_ms: float | None = None  # in the file

    def time_ms(self, read_ms: float) -> float:
        """The time of the next frame, given what the file says of it."""
        if self._now_ms is None:
            self._now_ms, self._read_ms = 0.0, read_ms
            return 0.0
        if self._follows(read_ms, self._read_ms):
            self._known_ms += read_ms - self._read_ms
            ahead_ms = self._now_ms + self._period_ms / 10  # after a guess that was too late
            self._now_ms = self._known_ms if self._known_ms > self._now_ms else ahead_ms
        elif self._doubted_ms is not None and self._follows(read_ms, self._doubted_ms):
            self._now_ms += read_ms - self._doubted_ms  # the file's clock began anew
            self._known_ms = self._now_ms
        else:  # MPEG files leave the time of single frames out
            self._now_ms += self._period_ms
            self._doubted_ms = read_ms
            return self._now_ms
        self._read_ms, self._doubted_ms = read_ms, None
        return self._now_ms

    @staticmethod
    def _follows(later_ms: float, earlier_ms: float) -> bool:
        return 0 < later_ms - earlier_ms <= _LONGEST_MS


def _video_shots(path: Path, plan: _Plan, start_ns: int) -> Iterator[Shot]:
    video = _video(path)
    period_ms = 1000.0 / plan.rate_hz
    clock = _Clock(period_ms)
    index, time_ms = 0, -period_ms
    try:
        while True:
            begin = time.perf_counter()
            readable, image = video.read()
            read_ms = (time.perf_counter() - begin) * 1000.0
            if not readable:
                break
            time_ms = clock.time_ms(video.get(cv2.CAP_PROP_POS_MSEC))
            stamp = start_ns + round(time_ms * 1e6)
            yield Shot(stamp, stamp, "", path.name, image.astype(np.uint8, copy=False), None, None, read_ms)
            index += 1
    finally:
        video.release()
    _require_end(path, plan, index, (time_ms + period_ms) / 1000.0)


def _require_end(path: Path, plan: _Plan, index: int, reached_s: float) -> None:
    """Report what is missing at the end of a video, or in it.

    Raises:
        InputError: it breaks off.
    """
    duration_s = plan.duration_s or plan.span_s
    at = f"{reached_s:.1f} s" + (f" of {duration_s:.1f} s" if plan.duration_s else "")
    cut = is_cut(path)
    is_short = reached_s < _COMPLETE * duration_s
    # Of a file that is cut, only an index may be missing.
    is_missing = plan.duration_s is None or reached_s < duration_s - 1.5 / plan.rate_hz
    if (cut and is_missing) or (cut is None and is_short):
        raise InputError(f"{path}: the video breaks off at {at}, after {index} frames")
    if index < _COMPLETE * plan.count:
        _log.warning(
            "%s: %d of %d frames are not shown, because they are damaged or before the start that the file "
            "sets (edit list)",
            path,
            plan.count - index,
            plan.count,
        )
    elif is_short:
        _log.warning("%s: the pictures end at %s; the sound may be longer, or the file is damaged", path, at)
