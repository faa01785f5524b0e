"""Sources: a bag, a video, a folder of pictures or one picture, all as a stream of shots.

A shot that cannot be used is part of the stream: it carries its error, and the next one follows.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import frames
from perception.boxes import Roi, corners, require_few, rois
from perception.errors import FrameError, InputError
from perception.paths import is_utf8
from perception.recordings.bag import BagReader, is_bag

# FFmpeg reads this when OpenCV first calls it. Its complaints would stand beside our one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpg", ".ts")
PICTURE_NS = 1_000_000_000  # pictures have no clock: one a second
_FASTEST_HZ = 240.0  # beyond it, OpenCV gives the ticks of the container's clock for its frames
_VIDEO_COMPLETE = 0.95  # some containers only estimate how many frames they hold

_DECODERS: dict[str, Callable[[Any], frames.Frame]] = {
    "sensor_msgs/msg/Image": frames.from_image,
    "sensor_msgs/msg/CompressedImage": frames.from_compressed,
}
NO_ROIS = "none"
_BOXES = "vision_msgs/msg/Detection2DArray"
_ANY_DEPTH = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH  # or 16 bits would silently be made 8
_SECONDS = range(-(2**31), 2**31)  # of a stamp; ROS 1 counts further


@dataclass(frozen=True)
class Shot:
    """One camera frame, or what was wrong with it.

    Attributes:
        stamp_ns: when it was taken; from the message's header, or counted from 0 for files.
        time_ns: when it was recorded; equal to the stamp for files.
        frame_id: of the header; empty for files.
        name: the topic, or the file's name.
        image: (H, W, 3) uint8 BGR; None if it is bad.
        error: why it is bad.
        rois: what to classify; None means the whole frame.
        read_ms: how long it took to decode.
    """

    stamp_ns: int
    time_ns: int
    frame_id: str
    name: str
    image: NDArray[np.uint8] | None
    error: FrameError | None
    rois: tuple[Roi, ...] | None
    read_ms: float

    @property
    def boxes(self) -> NDArray[np.float64] | None:
        """The corners of ``rois``, (N, 4) xyxy px; None means the whole frame.

        Raises:
            FrameError: box, if there are too many.
        """
        if self.rois is None:
            return None
        require_few(self.rois)
        return corners(self.rois)


@dataclass(frozen=True)
class Source:
    """Something that shots come from.

    Attributes:
        name: for people.
        count: how many shots it says it has; a damaged one may have fewer.
        rate_hz: shots per second.
        end_ns: the time of recording at its end.
        shots: opens it and reads it once, from begin to end. Raises InputError where it is damaged.
    """

    name: str
    count: int
    rate_hz: float
    end_ns: int
    shots: Callable[[], Iterator[Shot]]


def open_source(
    path: str | Path,
    *,
    topic: str | None = None,
    rois: str | None = None,
    use_rois: bool = True,
    start_ns: int = 0,
) -> Source:
    """Find out what a path is and whether it can be read.

    Args:
        path: a bag (folder, .mcap, .db3), a video, a folder of pictures, or a picture.
        topic: the bag's image topic; may be left out if it has one.
        rois: the bag's topic with boxes to classify; may be left out if its name ends in "rois". "none" takes
            whole frames.
        use_rois: False leaves boxes out, and all shots are whole frames.
        start_ns: stamp of the first shot of a video or picture, which have no clock.

    Raises:
        InputError: it is missing, unreadable or empty, or the bag has no such image topic.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if is_bag(path):
        return _open_bag(path, topic, rois, use_rois=use_rois and rois != NO_ROIS)
    if path.is_dir():
        pictures = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
        if not pictures:
            raise InputError(f"{path}: a folder with neither a bag nor pictures ({', '.join(PICTURES)})")
        return _open_pictures(path.absolute().name, pictures, start_ns)
    if path.suffix.lower() in PICTURES:
        return _open_pictures(path.name, [path], start_ns)
    if path.suffix.lower() in VIDEOS:
        return _open_video(path, start_ns)
    raise InputError(
        f"{path}: not a bag (.mcap, .db3), video ({', '.join(VIDEOS)}) or picture ({', '.join(PICTURES)})"
    )


def stamp_ns(message: Any) -> int:
    """A message's header stamp in nanoseconds."""
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)


def _open_bag(path: Path, topic: str | None, rois_topic: str | None, *, use_rois: bool) -> Source:
    with BagReader(path) as bag:
        topics = bag.topics
        image_topic = _image_topic(path, topics, topic)
        count, rate_hz = bag.count(image_topic), bag.rate_hz(image_topic)
        box_topic = _box_topic(path, topics, rois_topic, image_topic) if use_rois else None
        end_ns = bag.end_ns
    name = path.absolute().name
    return Source(name, count, rate_hz, end_ns, lambda: _bag_shots(path, image_topic, box_topic))


def _images(topics: dict[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in topics.items() if kind in _DECODERS}


def _image_topic(path: Path, topics: dict[str, str], wanted: str | None) -> str:
    images = _images(topics)
    if wanted is not None and wanted not in images:
        raise InputError(f"{path}: {wanted} is not an image topic there; it has {_listed(topics)}")
    if not images:
        raise InputError(
            f"{path}: no image topic (sensor_msgs/Image or CompressedImage); it has {_listed(topics)}"
        )
    if wanted is None and len(images) > 1:
        raise InputError(f"{path}: several image topics; choose one with --topic: {_listed(images)}")
    return wanted or next(iter(images))


def _box_topic(path: Path, topics: dict[str, str], wanted: str | None, image_topic: str) -> str | None:
    if wanted is not None and topics.get(wanted) != _BOXES:
        raise InputError(f"{path}: {wanted} is not a topic of {_BOXES} there; it has {_listed(topics)}")
    if wanted is not None:
        return wanted
    found = {name: kind for name, kind in topics.items() if kind == _BOXES and name.endswith("rois")}
    own = found
    if len(_images(topics)) > 1:  # another camera's boxes would be cut out of this one's frames
        own = {
            name: kind for name, kind in found.items() if _is_beside(name.removesuffix("rois"), image_topic)
        }
    if len(own) > 1 or (found and not own):
        what = "several topics of boxes" if own else f"several cameras, and no boxes beside {image_topic}"
        raise InputError(f"{path}: {what}; choose with --rois, which may be {NO_ROIS!r}: {_listed(found)}")
    return next(iter(own), None)


def _is_beside(namespace: str, topic: str) -> bool:
    return namespace != "/" and topic.startswith(namespace)


def _listed(topics: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(topics.items()))


def _bag_shots(path: Path, topic: str, box_topic: str | None) -> Iterator[Shot]:
    with BagReader(path) as bag:
        decode = _DECODERS[bag.topics[topic]]
        # Boxes may be recorded before or after their image; they are small, so they are all read first.
        # One message for each image, as the node pairs them: a driver may leave all stamps at zero.
        boxes: dict[int, deque[tuple[Roi, ...]]] = defaultdict(deque)
        damage: InputError | None = None
        try:
            for _, _, message in bag.messages([box_topic] if box_topic else []):
                boxes[stamp_ns(message)].append(rois(message.detections))
        except InputError as broken:  # the images before the damage are good
            damage = broken
        for _, time_ns, message in bag.messages([topic]):
            stamp = stamp_ns(message)
            begin = time.perf_counter()
            image, error = _try(decode, message)
            read_ms = (time.perf_counter() - begin) * 1000.0
            # Without boxes it is a street without signs, and as a whole it is not one either.
            waiting = boxes.get(stamp)
            own = (waiting.popleft() if waiting else ()) if box_topic else None
            if stamp // 1_000_000_000 not in _SECONDS:  # nothing could be published under it
                told = f"stamp of {stamp // 1_000_000_000} s; ROS 2 counts to {_SECONDS[-1]}"
                stamp, image, error = 0, None, FrameError("data", told)
            yield Shot(stamp, time_ns, message.header.frame_id, topic, image, error, own, read_ms)
        if damage is not None:
            raise damage


def _open_video(path: Path, start_ns: int) -> Source:
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
    # What stands before a colon FFmpeg takes for a protocol, but not behind a slash.
    return cv2.VideoCapture(str(path.absolute()))


def _watch(path: Path) -> tuple[int, float]:
    """Frames and frames per second, 0 if there are no times.

    For containers that do not tell, such as a plain stream of JPEGs, or a WebM of a browser's recorder, of
    which OpenCV takes the clock's ticks for frames.
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
    if index < _VIDEO_COMPLETE * count:
        raise InputError(f"{path}: the video breaks off after {index} of {count} frames")


def _open_pictures(name: str, paths: list[Path], start_ns: int) -> Source:
    end_ns = start_ns + len(paths) * PICTURE_NS
    return Source(name, len(paths), 1e9 / PICTURE_NS, end_ns, lambda: _pictures(paths, start_ns))


def _pictures(paths: list[Path], start_ns: int) -> Iterator[Shot]:
    for index, path in enumerate(paths):
        stamp = start_ns + index * PICTURE_NS
        begin = time.perf_counter()
        image, error = _try(_read_picture, path)
        read_ms = (time.perf_counter() - begin) * 1000.0
        yield Shot(stamp, stamp, "", path.name, image, error, None, read_ms)


def _read_picture(path: Path) -> frames.Frame:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrameError("data", f"{path.name} cannot be read: {error.strerror}") from error
    if path.suffix.lower() in (".jpg", ".jpeg", ".png"):
        return frames.decode(data, upright=True)  # as training reads them
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), _ANY_DEPTH) if data else None
    except cv2.error as error:
        raise FrameError("data", f"{path.name} is corrupt: {error.err}") from error
    if image is None:
        raise FrameError("data", f"{path.name} is not a picture that OpenCV can read")
    frames.check(image)
    return np.asarray(image)


def _try(decode: Callable[[Any], frames.Frame], item: Any) -> tuple[frames.Frame | None, FrameError | None]:
    try:
        return decode(item), None
    except FrameError as error:
        return None, error
