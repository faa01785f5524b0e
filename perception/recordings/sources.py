"""Sources: a bag, a video, a folder of pictures or one picture, all as a stream of shots.

A shot that cannot be used is part of the stream: it carries its error, and the next one follows.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from perception import folders, frames, pictures, topics
from perception.boxes import Roi, rois
from perception.errors import FrameError, InputError
from perception.kinds import VIDEO, advice, with_article
from perception.recordings import videos
from perception.recordings.bag import BagReader, is_bag
from perception.recordings.shots import Shot, Source, attempt

_log = logging.getLogger(__name__)
PICTURE_NS = 1_000_000_000  # pictures have no clock: one per second

_DECODERS: dict[str, Callable[[Any], frames.Frame]] = {
    topics.IMAGE: frames.from_image,
    topics.COMPRESSED_IMAGE: frames.from_compressed,
}
NO_ROIS = "none"
PICTURES = pictures.SUFFIXES
_SECONDS = range(-(2**31), 2**31)  # of a stamp; ROS 1 allows larger ones


def open_source(
    path: str | Path,
    *,
    topic: str | None = None,
    rois: str | None = None,
    use_rois: bool = True,
    start_ns: int = 0,
) -> Source:
    """Find out which kind of input a path is, and whether it can be read.

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
        return _open_pictures(path.absolute().name, _files(path), start_ns)
    kind = folders.kind_of(path)
    if kind == VIDEO:
        return videos.open_video(path, start_ns)
    if kind is None:
        return _open_pictures(path.name, [path], start_ns)
    what = "; ".join(filter(None, (with_article(kind), advice(kind))))
    raise InputError(
        f"{path}: {what}. Inputs are bags (.mcap, .db3), videos ({', '.join(videos.SUFFIXES[:4])}, …), "
        f"pictures ({', '.join(pictures.SUFFIXES[:4])}, …) and folders of pictures"
    )


def _open_bag(path: Path, topic: str | None, rois_topic: str | None, *, use_rois: bool) -> Source:
    with BagReader(path) as bag:
        kinds = bag.topics
        image_topic = _image_topic(path, kinds, topic)
        count, rate_hz = bag.count(image_topic), bag.rate_hz(image_topic)
        box_topic = _box_topic(path, kinds, rois_topic, image_topic) if use_rois else None
        end_ns = bag.end_ns
    name = path.absolute().name
    return Source(name, count, rate_hz, end_ns, lambda: _bag_shots(path, image_topic, box_topic))


def _images(kinds: dict[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in kinds.items() if kind in _DECODERS}


def _image_topic(path: Path, kinds: dict[str, str], wanted: str | None) -> str:
    images = _images(kinds)
    if wanted is not None and wanted not in images:
        raise InputError(f"{path}: {wanted} is not an image topic there; it has {_listed(kinds)}")
    if not images:
        raise InputError(
            f"{path}: no image topic (sensor_msgs/Image or CompressedImage); it has {_listed(kinds)}"
        )
    if wanted is None and len(images) > 1:
        raise InputError(f"{path}: several image topics; choose one with --topic: {_listed(images)}")
    return wanted or next(iter(images))


def _box_topic(path: Path, kinds: dict[str, str], wanted: str | None, image_topic: str) -> str | None:
    if wanted is not None and kinds.get(wanted) != topics.DETECTIONS:
        raise InputError(
            f"{path}: {wanted} is not a topic of {topics.DETECTIONS} there; it has {_listed(kinds)}"
        )
    if wanted is not None:
        return wanted
    candidates = {
        name: kind for name, kind in kinds.items() if kind == topics.DETECTIONS and name.endswith("rois")
    }
    own = candidates
    if len(_images(kinds)) > 1:  # another camera's boxes would be cut out of this one's frames
        own = {
            name: kind
            for name, kind in candidates.items()
            if _is_beside(name.removesuffix("rois"), image_topic)
        }
    if len(own) > 1 or (candidates and not own):
        what = "several topics of boxes" if own else f"several cameras, and no boxes beside {image_topic}"
        raise InputError(
            f"{path}: {what}; choose with --rois, which may be {NO_ROIS!r}: {_listed(candidates)}"
        )
    return next(iter(own), None)


def _is_beside(namespace: str, topic: str) -> bool:
    return namespace != "/" and topic.startswith(namespace)


def _listed(kinds: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(kinds.items()))


def _bag_shots(path: Path, topic: str, box_topic: str | None) -> Iterator[Shot]:
    with BagReader(path, quiet=True) as bag:
        decode = _DECODERS[bag.topics[topic]]
        # Boxes may be recorded before or after their image; they are small, so they are all read first.
        # One message for each image, as the node pairs them: a driver may leave all stamps at zero.
        boxes: dict[int, deque[tuple[Roi, ...]]] = defaultdict(deque)
        damage: InputError | None = None
        try:
            for _, _, message in bag.messages([box_topic] if box_topic else []):
                boxes[topics.stamp_ns(message)].append(rois(message.detections))
        except InputError as broken:  # the images before the damage are good
            damage = broken
        for _, time_ns, message in bag.messages([topic]):
            stamp = topics.stamp_ns(message)
            begin = time.perf_counter()
            image, error = attempt(decode, message)
            read_ms = (time.perf_counter() - begin) * 1000.0
            # A frame without boxes has no signs; None instead would classify the whole frame as one.
            waiting = boxes.get(stamp)
            own = (waiting.popleft() if waiting else ()) if box_topic else None
            if stamp // 1_000_000_000 not in _SECONDS:  # ROS 2 cannot publish it
                problem = f"stamp of {stamp // 1_000_000_000} s; ROS 2 counts to {_SECONDS[-1]}"
                stamp, image, error = 0, None, FrameError("data", problem)
            yield Shot(stamp, time_ns, message.header.frame_id, topic, image, error, own, read_ms)
        if damage is not None:
            raise damage


def _files(folder: Path) -> Sequence[Path]:
    """The pictures of a folder; what is passed over is reported."""
    listing = folders.list_pictures(folder)
    remarks = folders.describe(folder, listing)
    if not listing.pictures:
        raise InputError(
            f"{folder}: a folder with neither a bag nor pictures ({', '.join(pictures.SUFFIXES)})"
            + "".join(remark.removeprefix(str(folder)) for remark in remarks)
        )
    for remark in remarks:
        _log.warning("%s", remark)
    return listing.pictures


def _open_pictures(name: str, paths: Sequence[Path], start_ns: int) -> Source:
    end_ns = start_ns + len(paths) * PICTURE_NS
    return Source(name, len(paths), 1e9 / PICTURE_NS, end_ns, lambda: _pictures(paths, start_ns))


def _pictures(paths: Sequence[Path], start_ns: int) -> Iterator[Shot]:
    for index, path in enumerate(paths):
        stamp = start_ns + index * PICTURE_NS
        begin = time.perf_counter()
        image, error = attempt(pictures.read, path)
        read_ms = (time.perf_counter() - begin) * 1000.0
        yield Shot(stamp, stamp, "", path.name, image, error, None, read_ms)
