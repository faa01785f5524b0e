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
from perception.bag import BagReader, BagWriter, typestore
from perception.nodes import messages
from perception.results import ResultWriter
from perception.sources import Shot
from perception.spec import ModelSpec

from .ros import GREEN, GREY, RED, solid

HEADER = Header(stamp=Time(sec=7, nanosec=9), frame_id="front")


def shot(frame: np.ndarray) -> Shot:
    return Shot(7_000_000_009, 7_000_000_009, "front", "/cam", frame, None, None, 0.0)


def written(path: Path) -> dict[str, Any]:
    with BagReader(path) as bag:
        return {topic: message for topic, _, message in bag.messages(bag.topics)}


def published(message: Any, kind: str) -> Any:
    """A message of rclpy as the bag's library sees it."""
    return typestore().deserialize_cdr(serialize_message(message), kind)


def test_signs(tmp_path: Path, signs_model: Path) -> None:
    classify = perception.load(signs_model)
    frame = np.hstack([solid(RED), solid(GREY), solid(GREEN)])
    signs = classify.classify_boxes(frame, [(0, 0, 60, 40), (60, 0, 120, 40), (120, 0, 180, 40)])
    with BagWriter(tmp_path / "bag") as bag:
        ResultWriter(bag).label_info(classify.spec, shot(frame))
        ResultWriter(bag).signs(signs, shot(frame))
    regions = [messages.whole(frame[:, :60]) for _ in signs]
    for region, x in zip(regions, (30.0, 90.0, 150.0)):
        region.bbox.center.position.x = x
    expected = {
        "/signs/label_info": messages.label_info(classify.spec, HEADER),
        "/signs/classification": messages.classification(signs, HEADER),
        "/signs/detections": messages.detections(signs, regions, HEADER),
    }
    found = written(tmp_path / "bag")
    assert set(found) == set(expected)
    for topic, message in found.items():
        assert repr(message) == repr(published(expected[topic], message.__msgtype__)), topic


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
