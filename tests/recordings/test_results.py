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
from perception.nodes import messages
from perception.recordings.bag import BagReader, BagWriter, typestore
from perception.recordings.results import ResultWriter
from perception.recordings.sources import Roi, Shot
from perception.spec import ModelSpec
from tests.ros import GREEN, GREY, RED, solid

HEADER = Header(stamp=Time(sec=7, nanosec=9), frame_id="front")
RECORDED_NS = 8_000_000_000  # later than the stamp


def shot(frame: np.ndarray, rois: tuple[Roi, ...] | None = None) -> Shot:
    return Shot(7_000_000_009, RECORDED_NS, "front", "/cam", frame, None, rois, 0.0)


def written(path: Path) -> dict[str, Any]:
    with BagReader(path) as bag:
        found = list(bag.messages(bag.topics))
        assert {time_ns for _, time_ns, _ in found} == {RECORDED_NS}
        return {topic: message for topic, _, message in found}


def published(message: Any, kind: str) -> Any:
    """A message of rclpy as the bag's library sees it."""
    return typestore().deserialize_cdr(serialize_message(message), kind)


def test_signs(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = np.hstack([solid(RED), solid(GREY), solid(GREEN)])
    # A tracker's boxes: turned, beyond the frame's edge, with ids. All that is passed on.
    rois = tuple(Roi(x, 20.0, 62.0, 44.0, 0.1, f"track {x}") for x in (30.0, 90.0, 150.0))
    seen = shot(frame, rois)
    signs = classify.classify_boxes(frame, seen.boxes)
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).label_info(classify.spec, seen)
        ResultWriter(bag).signs(signs, seen)
    regions = [messages.whole(frame) for _ in signs]
    for region, roi in zip(regions, rois):
        region.id, box = roi.id, region.bbox
        box.center.position.x, box.center.position.y, box.center.theta = roi.x, roi.y, roi.theta
        box.size_x, box.size_y = roi.width, roi.height
    expected = {
        "/signs/label_info": messages.label_info(classify.spec, HEADER),
        "/signs/classification": messages.classification(signs, HEADER),
        "/signs/detections": messages.detections(signs, regions, HEADER),
    }
    found = written(tmp_path / "bag")
    assert set(found) == set(expected)
    for topic, message in found.items():
        assert repr(message) == repr(published(expected[topic], message.__msgtype__)), topic


def test_a_whole_frame(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = solid(RED)
    signs = classify.classify([frame])
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).signs(signs, shot(frame))
    message = written(tmp_path / "bag")["/signs/detections"]
    expected = messages.detections(signs, [messages.whole(frame)], HEADER)
    assert repr(message) == repr(published(expected, message.__msgtype__))


def test_masks(tmp_path: Path, segmentation_model: Path) -> None:
    segment = perception.load(segmentation_model)
    frame = np.hstack([solid(RED), solid(GREEN)])
    road = segment(frame)
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).road(road, shot(frame))
    found = written(tmp_path / "bag")
    for topic, pixels in (("mask", road.class_ids), ("confidence", road.confidence)):
        message = found[f"/segmentation/{topic}"]
        expected = published(messages.image(pixels, "mono8", HEADER), message.__msgtype__)
        assert repr(message) == repr(expected)
        assert (message.data == expected.data).all()


@pytest.mark.parametrize("spec", [ModelSpec("segmentation", ("Road",), ((0, 0, 0),), (2, 2))])
def test_label_info_of_masks(tmp_path: Path, spec: ModelSpec) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).label_info(spec, shot(solid(RED)))
    (message,) = written(tmp_path / "bag").values()
    assert repr(message) == repr(published(messages.label_info(spec, HEADER), message.__msgtype__))
