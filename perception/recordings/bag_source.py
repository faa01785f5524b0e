"""Bag source: a bag's images as shots, each with the boxes that were recorded for it."""

from __future__ import annotations

import logging
from bisect import bisect
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from perception import frames, topics
from perception.boxes import Roi, rois
from perception.errors import FrameError, InputError
from perception.recordings import jumps
from perception.recordings.bag import BagReader
from perception.recordings.shots import Shot, Source, attempt
from perception.tasks import shipped

_log = logging.getLogger(__name__)
_DECODERS: dict[str, Callable[[Any], frames.Frame]] = {
    topics.IMAGE: frames.from_image,
    topics.COMPRESSED_IMAGE: frames.from_compressed,
}
_SECONDS = range(-(2**31), 2**31)  # of a stamp; ROS 1 allows larger ones
_Waiting = Mapping[int, Sequence[tuple[Roi, ...]]]  # stamp in ns → the messages of boxes with it


def open_bag(path: Path, topic: str | None, rois_topic: str | None, *, use_rois: bool) -> Source:
    """A bag's images.

    Args:
        path: the bag.
        topic: the image topic; may be None if there is one.
        rois_topic: the topic of the boxes; None takes the one whose name ends in "rois".
        use_rois: False leaves boxes out.

    Raises:
        InputError: it is unreadable or empty, or has no such topic, or several.
    """
    with BagReader(path) as bag:
        kinds = bag.topics
        image_topic = _image_topic(path, kinds, topic)
        count, rate_hz = bag.count(image_topic), bag.rate_hz(image_topic)
        box_topic = _box_topic(path, kinds, rois_topic, image_topic) if use_rois else None
        unused = tuple(name for name in _with_boxes(kinds) if name != box_topic)
        end_ns = bag.end_ns
    name = path.absolute().name
    shots = partial(_bag_shots, path, image_topic, box_topic)
    return Source(
        name, count, rate_hz, end_ns, shots, has_clock=True, box_topic=box_topic or "", unused_boxes=unused
    )


def _with_boxes(kinds: dict[str, str]) -> list[str]:
    """The topics with boxes, without what the nodes answered on a drive."""
    return [
        name
        for name, kind in sorted(kinds.items())
        if kind == topics.DETECTIONS and not name.endswith(_results())
    ]


def _results() -> tuple[str, ...]:
    """How the names of the topics end that the nodes publish."""
    return tuple(f"/{topic.name}" for task in shipped() for topic in topics.of_task(task).results)


def _images(kinds: dict[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in kinds.items() if kind in _DECODERS}


def _cameras(kinds: dict[str, str]) -> dict[str, str]:
    """The image topics without the masks that a node published on a drive, if there are others."""
    images = _images(kinds)
    return {name: kind for name, kind in images.items() if not name.endswith(_results())} or images


def _image_topic(path: Path, kinds: dict[str, str], wanted: str | None) -> str:
    images = _images(kinds)
    if wanted is not None and wanted not in images:
        raise InputError(f"{path}: {wanted} is not an image topic there; it has {_listed(kinds)}")
    if not images:
        raise InputError(
            f"{path}: no image topic (sensor_msgs/Image or CompressedImage); it has {_listed(kinds)}"
        )
    cameras = _cameras(kinds)
    if wanted is None and len(cameras) > 1:
        raise InputError(f"{path}: several image topics; choose one with --topic: {_listed(cameras)}")
    return wanted or next(iter(cameras))


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
    if len(_cameras(kinds)) > 1:  # another camera's boxes would be cut out of this one's frames
        own = {
            name: kind
            for name, kind in candidates.items()
            if _is_beside(name.removesuffix("rois"), image_topic)
        }
    if len(own) > 1 or (candidates and not own):
        what = "several topics of boxes" if own else f"several cameras, and no boxes beside {image_topic}"
        raise InputError(f"{path}: {what}; choose with --rois: {_listed(candidates)}")
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
        total, stamps = 0, list[int]()
        damage: InputError | None = None
        try:
            for _, _, message in bag.messages([box_topic] if box_topic else []):
                boxes[topics.stamp_ns(message)].append(rois(message.detections))
                total += len(message.detections)
        except InputError as broken:  # the images before the damage are good
            damage = broken
        for _, time_ns, message in bag.messages([topic]):
            stamp = topics.stamp_ns(message)
            stamps.append(stamp)
            image, error, read_ms = attempt(decode, message)
            # A frame without boxes has no signs; None instead would classify the whole frame as one.
            waiting = boxes.get(stamp)
            own = (waiting.popleft() if waiting else ()) if box_topic else None
            if stamp // 1_000_000_000 not in _SECONDS:  # ROS 2 cannot publish it
                problem = f"stamp of {stamp // 1_000_000_000} s; ROS 2 counts to {_SECONDS[-1]}"
                stamp, image, error = 0, None, FrameError("data", problem)
            yield Shot(stamp, time_ns, message.header.frame_id, topic, image, error, own, read_ms)
        if box_topic is not None:
            _name_unmatched(path, box_topic, boxes, total, sorted(stamps))
        if damage is not None:
            raise damage


def _name_unmatched(path: Path, topic: str, left: _Waiting, total: int, stamps: Sequence[int]) -> None:
    """Warn of boxes that fit no image, because a report without signs looks like a street without signs."""
    count = sum(len(boxes) for waiting in left.values() for boxes in waiting)
    if not count or not stamps:
        return
    nearest_ns = min(_distance_ns(stamp, stamps) for stamp, waiting in left.items() if any(waiting))
    problem = f"{count} of {total} boxes on {topic} have the stamp of no image and are not used"
    where = f"the nearest is {jumps.length(nearest_ns)} from one"
    if not nearest_ns:
        problem = f"{count} of {total} boxes on {topic} are not used"
        where = "several messages have one image's stamp"
    _log.warning("%s: %s; %s", path, problem, where)


def _distance_ns(stamp: int, stamps: Sequence[int]) -> int:
    place = bisect(stamps, stamp)
    return min(abs(stamp - other) for other in stamps[max(0, place - 1) : place + 1])
