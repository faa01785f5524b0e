"""Topics: names, types, QoS and message builders, once for nodes, bags and the recorder.

A builder is given ``make``, which makes a message of a type by name. So the nodes build messages with rclpy,
and ``perception run`` builds the same ones with rosbags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.boxes import MAX_ROIS, Box, Roi, corners, rois, upright, whole
from perception.model import Result
from perception.segmentation import RoadMask
from perception.signs import Sign, Signs
from perception.spec import Color, ModelSpec
from perception.tasks import TASKS, resolve
from perception.tracking import Track, Tracks

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
DETECTION = "vision_msgs/msg/Detection2D"
DETECTIONS = "vision_msgs/msg/Detection2DArray"
CLASSIFICATION = "vision_msgs/msg/Classification"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
DIAGNOSTIC_ARRAY = "diagnostic_msgs/msg/DiagnosticArray"
JOY = "sensor_msgs/msg/Joy"

# transport: (type, name) of a camera's topic
CAMERA = {"raw": (IMAGE, "image_raw"), "compressed": (COMPRESSED_IMAGE, "image_raw/compressed")}
CAMERA_INFO_NAME = "camera_info"
ROIS = "rois"
DIAGNOSTICS = "/diagnostics"
CONTROLS = "controls"  # steering and throttle of a recorded drive, as the axes of a JOY

# make("std_msgs/msg/Header", stamp=…, frame_id=…); fields that are left out have ROS' defaults
Make = Callable[..., Any]


@dataclass(frozen=True)
class Qos:
    """What a publisher offers, or a subscriber asks for.

    Attributes:
        depth: messages kept for a slow subscriber.
        reliable: lost messages are sent again.
        latched: the last message also reaches later subscribers (transient local).
    """

    depth: int = 10
    reliable: bool = True
    latched: bool = False


RELIABLE = Qos()
NEWEST = Qos(depth=1, reliable=False)
NEWEST_RELIABLE = Qos(depth=1)
LATCHED = Qos(depth=1, latched=True)
BEST_EFFORT = Qos(reliable=False)


@dataclass(frozen=True)
class Origin:
    """The image that a result is about.

    Attributes:
        header: a std_msgs/Header, which goes into every message as it is.
        size_hw: of the image in pixels.
        rois: the boxes that came with it; None if none come.
    """

    header: Any
    size_hw: tuple[int, int]
    rois: Sequence[Roi] | None = None


@dataclass(frozen=True)
class Topic:
    """One topic that carries results.

    Attributes:
        name: relative to the node.
        kind: type of its messages, as in ``sensor_msgs/msg/Image``.
        qos: what the publisher offers.
        build: makes the message from ``make``, a result and its origin; of ``events``, a list of messages.
        on_demand: published only while there are subscribers.
        events: a result may give several messages, or none.
    """

    name: str
    kind: str
    qos: Qos
    build: Callable[[Make, Any, Origin], Any]
    on_demand: bool = False
    events: bool = field(default=False, kw_only=True)

    def messages(self, make: Make, result: Result, origin: Origin) -> list[Any]:
        """What to publish of a result."""
        built = self.build(make, result, origin)
        return list(built) if self.events else [built]


@dataclass(frozen=True)
class TaskTopics:
    """The result topics of one task.

    Attributes:
        results: all of them.
        shown: the one of ``results`` that a report of a recording is made from.
        parse: makes a result from a message of ``shown``, the class names by id and the palette. What no
            topic carries, such as all classes' scores, is left out.
    """

    results: tuple[Topic, ...]
    shown: Topic
    parse: Callable[[Any, Mapping[int, str], Sequence[Color]], Result]


def stamp_ns(message: Any) -> int:
    """A message's header stamp in nanoseconds."""
    return int(message.header.stamp.sec) * 1_000_000_000 + int(message.header.stamp.nanosec)


def of_task(task: str) -> TaskTopics:
    """The result topics of a task."""
    topics: TaskTopics = resolve(TASKS[task].topics)
    return topics


def label_info_name(task: str) -> str:
    """Name of the topic with the class names of a task."""
    return f"{task}/label_info"


def overlay_name(task: str) -> str:
    """Name of the topic with the annotated frames of a task."""
    return f"{task}/overlay"


def image(make: Make, pixels: NDArray[np.uint8], encoding: str, header: Any) -> Any:
    """An Image.

    Args:
        pixels: (H, W) or (H, W, C) uint8, C-contiguous.
        encoding: as in sensor_msgs/image_encodings.h.
        header: goes into the message as it is.
    """
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).reshape(-1)
    return make(
        IMAGE,
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=data.size // height,
        data=data,
    )


def label_info(make: Make, spec: ModelSpec, header: Any) -> Any:
    """The class names behind the ids; the threshold is the one at which a thing counts as known."""
    names = [
        make("vision_msgs/msg/VisionClass", class_id=index, class_name=label)
        for index, label in enumerate(spec.labels)
    ]
    return make(LABEL_INFO, header=header, class_map=names, threshold=spec.threshold)


def _classification(make: Make, result: Signs | Tracks, origin: Origin) -> Any:
    """What applies now, the nearest first; of signs that are not followed, the known ones, surest first."""
    if isinstance(result, Tracks):
        current: Sequence[Sign | Track] = result.current
    else:
        current = sorted((sign for sign in result if sign), key=lambda sign: sign.score, reverse=True)
    return make(CLASSIFICATION, header=origin.header, results=[_hypothesis(make, thing) for thing in current])


def _detections(make: Make, result: Signs | Tracks, origin: Origin) -> Any:
    """Each box of the frame, in its order, with what its track shows; no results mean: nothing known."""
    signs, shown = (result.signs, result.seen) if isinstance(result, Tracks) else (result, result)
    detections = []
    for index, (sign, thing) in enumerate(zip(signs, shown, strict=True)):
        own_id = str(thing.id) if isinstance(thing, Track) else ""
        if origin.rois is not None:
            roi = origin.rois[index]
            roi = roi if roi.id else roi._replace(id=own_id)
        else:
            roi = upright(sign.box, own_id) if sign.box else whole(origin.size_hw)
        hypotheses = [_hypothesis(make, thing)] if thing else []
        detections.append(detection(make, roi, hypotheses, origin.header))
    return make(DETECTIONS, header=origin.header, detections=detections)


def _events(make: Make, result: Signs | Tracks, origin: Origin) -> list[Any]:
    """The tracks that are confirmed now, and with a score of 0 those that have left."""
    if not isinstance(result, Tracks):
        return []
    changes = [(track, 0.0) for track in result.left] + [(track, track.score) for track in result.confirmed]
    events = []
    for track, score in changes:
        hypothesis = _hypothesis(make, track, score=score)
        events.append(detection(make, upright(track.box, str(track.id)), [hypothesis], origin.header))
    return events


def detection(make: Make, roi: Roi, hypotheses: Sequence[Any], header: Any) -> Any:
    """A Detection2D of a box. Its poses stay zero, because a picture has no metres."""
    results = [
        make("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=hypothesis) for hypothesis in hypotheses
    ]
    bbox = _bounding_box(make, roi)
    return make(DETECTION, header=header, results=results, bbox=bbox, id=roi.id)


def _hypothesis(make: Make, thing: Sign | Track, *, score: float | None = None) -> Any:
    score = float(thing.score if score is None else score)
    return make("vision_msgs/msg/ObjectHypothesis", class_id=str(thing.class_id), score=score)


def _bounding_box(make: Make, roi: Roi) -> Any:
    position = make("vision_msgs/msg/Point2D", x=roi.x, y=roi.y)
    center = make("vision_msgs/msg/Pose2D", position=position, theta=roi.theta)
    return make("vision_msgs/msg/BoundingBox2D", center=center, size_x=roi.width, size_y=roi.height)


def _parse_detections(message: Any, names: Mapping[int, str], palette: Sequence[Color]) -> Signs | Tracks:
    """What was seen; as tracks, where each box has the number of one."""
    boxes = rois(message.detections)
    signs = Signs(
        tuple(
            _parse_detection(detection, (x1, y1, x2, y2), names)
            for detection, (x1, y1, x2, y2) in zip(message.detections, corners(boxes).tolist())
        )
    )
    if not all(roi.id.isdecimal() for roi in boxes):
        return signs
    tracks = tuple(_seen(int(roi.id), sign) for roi, sign in zip(boxes, signs))
    return Tracks(tracks, signs, seen=tracks)


def _parse_detection(detection: Any, box: Box, names: Mapping[int, str]) -> Sign:
    best = detection.results[0].hypothesis if detection.results else None
    class_id = int(best.class_id) if best else -1
    return Sign(
        class_id=class_id,
        label=names.get(class_id, "unknown"),
        score=best.score if best else 0.0,
        known=float(best is not None),
        is_known=best is not None,
        box=box,
        scores=np.zeros(0, np.float32),  # a topic carries the best one only
        latency_ms={},
    )


def _seen(track_id: int, sign: Sign) -> Track:
    label, box = sign.label if sign else "", sign.box or (0.0, 0.0, 0.0, 0.0)
    state = {"is_confirmed": False, "is_seen": True}  # a topic does not say whether it is confirmed
    return Track(track_id, sign.class_id, label, sign.score, box, **state, age_s=0.0, sign=sign)


def _mask(make: Make, road: RoadMask, origin: Origin) -> Any:
    return image(make, road.class_ids, "mono8", origin.header)


def _confidence(make: Make, road: RoadMask, origin: Origin) -> Any:
    return image(make, road.confidence, "mono8", origin.header)


def _parse_mask(message: Any, names: Mapping[int, str], palette: Sequence[Color]) -> RoadMask:
    class_ids = message.data.reshape(message.height, message.step)[:, : message.width]
    return RoadMask(class_ids, np.zeros_like(class_ids), tuple(names.values()), tuple(palette))


_SIGN_DETECTIONS = Topic("signs/detections", DETECTIONS, RELIABLE, _detections)
SIGNS = TaskTopics(
    (
        Topic("signs/classification", CLASSIFICATION, RELIABLE, _classification),
        _SIGN_DETECTIONS,
        Topic("signs/events", DETECTION, Qos(depth=MAX_ROIS), _events, events=True),
    ),
    shown=_SIGN_DETECTIONS,
    parse=_parse_detections,
)

_MASK = Topic("segmentation/mask", IMAGE, NEWEST_RELIABLE, _mask, on_demand=True)
SEGMENTATION = TaskTopics(
    (_MASK, Topic("segmentation/confidence", IMAGE, NEWEST, _confidence, on_demand=True)),
    shown=_MASK,
    parse=_parse_mask,
)
