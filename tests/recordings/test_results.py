"""``perception run`` must write what the nodes publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

import perception
from perception import topics
from perception.boxes import Roi
from perception.model import Result
from perception.nodes import messages
from perception.recordings.bag import BagReader, BagWriter, typestore
from perception.recordings.results import ResultWriter
from perception.recordings.shots import Shot
from perception.spec import ModelSpec
from perception.topics import Origin
from tests.ros import GREEN, GREY, RED, solid

HEADER = Header(stamp=Time(sec=7, nanosec=9), frame_id="front")
RECORDED_NS = 8_000_000_000  # later than the stamp


def shot(frame: np.ndarray, rois: tuple[Roi, ...] | None = None) -> Shot:
    return Shot(7_000_000_009, RECORDED_NS, "front", "/cam", frame, None, rois, 0.0)


def written(path: Path) -> dict[str, Any]:
    with BagReader(path) as bag:
        recorded = list(bag.messages(bag.topics))
        assert {time_ns for _, time_ns, _ in recorded} == {RECORDED_NS}
        return {topic: message for topic, _, message in recorded}


def published(message: Any, kind: str) -> Any:
    """A message of rclpy as the bag's library sees it."""
    return typestore().deserialize_cdr(serialize_message(message), kind)


def by_nodes(result: Result, task: str, origin: Origin) -> dict[str, Any]:
    """The result as a node publishes it, by the topic's name in a bag; the last message of each."""
    own = topics.of_task(task).results
    built = {f"/{topic.name}": topic.messages(messages.make, result, origin) for topic in own}
    return {name: sent[-1] for name, sent in built.items() if sent}


def test_signs(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = np.hstack([solid(RED), solid(GREY), solid(GREEN)])
    # A tracker's boxes: turned, beyond the frame's edge, with ids. All that is passed on.
    rois = tuple(Roi(x, 20.0, 62.0, 44.0, 0.1, f"track {x}") for x in (30.0, 90.0, 150.0))
    seen = shot(frame, rois)
    signs = classify.classify_boxes(frame, seen.boxes)
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).label_info(classify.spec, seen)
        ResultWriter(bag).write("signs", signs, seen)
    expected = by_nodes(signs, "signs", Origin(HEADER, frame.shape[:2], rois))
    expected["/signs/label_info"] = topics.label_info(messages.make, classify.spec, HEADER)
    recorded = written(tmp_path / "bag")
    assert set(recorded) == set(expected)
    for topic, message in recorded.items():
        assert repr(message) == repr(published(expected[topic], message.__msgtype__)), topic


def test_signs_that_are_followed(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = np.hstack([solid(RED), solid(GREY), solid(GREEN)])
    track = perception.SignTracker(classify.spec)
    boxes = [[0, 0, 60, 40], [60, 0, 120, 40], [120, 0, 180, 40]]
    for stamp_ns in range(0, 10**9, 10**8):
        tracks = track.update(classify.classify_boxes(frame, boxes), stamp_ns)
        if tracks.confirmed:
            break
    assert len(tracks.confirmed) == 2
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).write("signs", tracks, shot(frame))
    with BagReader(tmp_path / "bag") as bag:
        assert bag.count("/signs/events") == 2  # one each
    recorded = written(tmp_path / "bag")
    expected = by_nodes(tracks, "signs", Origin(HEADER, frame.shape[:2]))
    assert set(recorded) == set(expected) >= {"/signs/events"}
    for topic, message in recorded.items():
        assert repr(message) == repr(published(expected[topic], message.__msgtype__)), topic
    assert len({detection.id for detection in recorded["/signs/detections"].detections}) == 3


def test_a_whole_frame(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = solid(RED)
    signs = classify.classify([frame])
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).write("signs", signs, shot(frame))
    message = written(tmp_path / "bag")["/signs/detections"]
    expected = by_nodes(signs, "signs", Origin(HEADER, frame.shape[:2]))["/signs/detections"]
    (box,) = [detection.bbox for detection in message.detections]
    assert (box.center.position.x, box.center.position.y, box.size_x, box.size_y) == (30, 20, 60, 40)
    assert repr(message) == repr(published(expected, message.__msgtype__))


def test_masks(tmp_path: Path, segmentation_model: Path) -> None:
    segment = perception.load(segmentation_model)
    frame = np.hstack([solid(RED), solid(GREEN)])
    road = segment(frame)
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).write("segmentation", road, shot(frame))
    recorded = written(tmp_path / "bag")
    for topic, pixels in (("mask", road.class_ids), ("confidence", road.confidence)):
        message = recorded[f"/segmentation/{topic}"]
        expected = published(topics.image(messages.make, pixels, "mono8", HEADER), message.__msgtype__)
        assert repr(message) == repr(expected)
        assert (message.data == expected.data).all()


@pytest.mark.parametrize("spec", [ModelSpec("segmentation", ("Road",), ((0, 0, 0),), (2, 2))])
def test_label_info_of_masks(tmp_path: Path, spec: ModelSpec) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).label_info(spec, shot(solid(RED)))
    (message,) = written(tmp_path / "bag").values()
    assert repr(message) == repr(
        published(topics.label_info(messages.make, spec, HEADER), message.__msgtype__)
    )
