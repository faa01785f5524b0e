"""Topics are named and offered the same wherever they are mentioned."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from perception import SignClassifier, tasks, topics
from perception.engines.fake import FakeEngine
from perception.frames import from_image
from perception.recordings import results
from tests import bags
from tests.conftest import SIGNS

REPLAY = Path(__file__).parents[1] / "launch" / "replay.launch.py"


def result_topics() -> list[str]:
    names = [topic.name for task in tasks.shipped() for topic in topics.of_task(task).results]
    return names + [topics.label_info_name(task) for task in tasks.shipped()]


def constant(name: str) -> str:
    """A constant of the launch file, which cannot be imported without a sourced ROS."""
    for node in ast.parse(REPLAY.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    pytest.fail(f"{REPLAY} has no {name}")


def test_a_replay_records_every_result_and_nothing_that_it_plays() -> None:
    recorded = re.compile(constant("RESULTS"))
    for name in result_topics():
        assert recorded.fullmatch(f"/{name}") and recorded.fullmatch(f"/car/{name}"), name
    assert recorded.fullmatch(topics.DIAGNOSTICS)
    for _, name in topics.CAMERA.values():
        assert not recorded.fullmatch(f"/camera/{name}")
    assert not recorded.fullmatch(f"/camera/{topics.ROIS}")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ROS_DISTRO": "jazzy", "ROS_LOCALHOST_ONLY": "1"},
        {"ROS_DISTRO": "humble"},
        {"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"},
    ],
)
def test_a_replay_carries_large_messages_as_the_nodes_do(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    middleware = pytest.importorskip("perception.nodes.middleware")
    source = REPLAY.read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    (function,) = [node for node in functions if node.name == "large_messages"]
    scope = {"os": os, "CONFIG": REPLAY.parents[1] / "config"}
    exec(compile(ast.Module([function], []), str(REPLAY), "exec"), scope)
    for name in ("ROS_DISTRO", "ROS_LOCALHOST_ONLY", middleware.FAST_DDS_PROFILES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert scope["large_messages"]() == {
        middleware.FAST_DDS_PROFILES: middleware.fast_dds_profiles(os.environ)
    }
    monkeypatch.setenv(middleware.FAST_DDS_PROFILES, "mine.xml")
    assert scope["large_messages"]() == {}


def parsed(task: str, message: Any, names: dict[int, str]) -> Any:
    return topics.of_task(task).parse(message, names, ((1, 2, 3),) * len(names))


def test_a_stamp_counts_in_nanoseconds() -> None:
    assert topics.stamp_ns(bags.rois((), stamp=7)) == 100_700_000_000
    message = SimpleNamespace(header=results.header(1_700_000_000_999_999_999, ""))
    assert topics.stamp_ns(message) == 1_700_000_000_999_999_999


def test_what_was_recorded_is_read_as_it_was_seen() -> None:
    message = bags.rois([(10, 20, 40, 60, "1"), (0, 0, 8, 8, ""), (0, 0, 8, 8, "7")], stamp=0)
    known, unknown, nameless = parsed("signs", message, {0: "Stop", 1: "Yield"})
    assert (known.class_id, known.label, known.score, known.known) == (1, "Yield", 1.0, 1.0)
    assert known and known.box == (10, 20, 40, 60)
    assert (unknown.label, unknown.score, unknown.known, bool(unknown)) == ("unknown", 0.0, 0.0, False)
    assert known.scores.size == 0  # no topic carries them
    assert (unknown.class_id, nameless.label, bool(nameless)) == (-1, "unknown", True)


def test_of_several_hypotheses_the_first_counts() -> None:
    message = bags.rois([(10, 20, 40, 60, "1"), (0, 0, 8, 8, "0")], stamp=0)
    message.detections[0].results += message.detections[1].results
    assert [sign.label for sign in parsed("signs", message, {0: "Stop", 1: "Yield"})] == ["Yield", "Stop"]


def test_a_recorded_mask_may_have_padded_rows() -> None:
    ids = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
    message = topics.image(results.make, np.pad(ids, ((0, 0), (0, 5))), "mono8", None)
    message.width = 3
    road = parsed("segmentation", message, {0: "Road", 1: "Sky"})
    assert np.array_equal(road.class_ids, ids) and road.labels == ("Road", "Sky")


def test_an_image_message_says_how_long_its_rows_are() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = topics.image(results.make, pixels, "bgr8", None)
    assert (message.height, message.width, message.step, message.is_bigendian) == (2, 3, 9, 0)
    assert np.array_equal(from_image(message), pixels)


def test_only_known_signs_are_published_and_the_surest_comes_first() -> None:
    outputs = {
        "scores": np.float32([[0.6, 0.4, 0], [0, 0.1, 0.9], [0.2, 0.8, 0]]),
        "known": np.float32([1, 1, 0]),
    }
    classify = SignClassifier(FakeEngine(SIGNS))
    signs = classify.finish(outputs, [(0, 0, 8, 8)] * 3)
    origin = topics.Origin(results.header(0, ""), (10, 20), [topics.whole((10, 20))] * 3)
    classification, detections = (topic.build(results.make, signs, origin) for topic in topics.SIGNS.results)
    found = [(hypothesis.class_id, round(hypothesis.score, 3)) for hypothesis in classification.results]
    assert found == [("2", 0.9), ("0", 0.6)]
    assert [len(detection.results) for detection in detections.detections] == [1, 1, 0]


def test_what_each_topic_offers_is_what_the_documentation_says() -> None:
    offered = {topic.name: topic for task in tasks.shipped() for topic in topics.of_task(task).results}
    assert offered["signs/detections"].qos == topics.Qos(depth=10, reliable=True, latched=False)
    assert offered["signs/classification"].qos == offered["signs/detections"].qos
    assert not offered["signs/detections"].on_demand
    assert offered["segmentation/mask"].qos == topics.Qos(depth=1, reliable=True, latched=False)
    assert offered["segmentation/confidence"].qos == topics.Qos(depth=1, reliable=False, latched=False)
    assert offered["segmentation/mask"].on_demand and offered["segmentation/confidence"].on_demand
    assert topics.Qos(depth=1, reliable=True, latched=True) == topics.LATCHED  # of label_info
