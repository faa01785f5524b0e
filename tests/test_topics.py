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

from perception import Sign, SignClassifier, Signs, tasks, topics
from perception.boxes import Roi
from perception.engines.fake import FakeEngine
from perception.frames import from_image
from perception.recordings import results
from perception.tracking import Track, Tracks
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
    for name in ("ROS_DISTRO", "ROS_LOCALHOST_ONLY", *middleware.FAST_DDS_PROFILES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    profiles = dict.fromkeys(middleware.FAST_DDS_PROFILES, middleware.fast_dds_profiles(os.environ))
    assert scope["large_messages"]() == profiles
    for name in middleware.FAST_DDS_PROFILES:
        monkeypatch.setenv(name, "mine.xml")
        del profiles[name]
        assert scope["large_messages"]() == profiles


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


def test_of_a_whole_frame_only_a_known_sign_is_published() -> None:
    outputs = {"scores": np.float32([[0.6, 0.4, 0], [0.2, 0.8, 0]]), "known": np.float32([1, 0])}
    known, unknown = SignClassifier(FakeEngine(SIGNS)).finish(outputs, [None, None])
    assert [
        (h.class_id, round(h.score, 3)) for h in published("classification", Signs((known,))).results
    ] == [("0", 0.6)]
    assert published("classification", Signs((unknown,))).results == []
    (detection,) = published("detections", Signs((known,))).detections
    assert (detection.bbox.size_x, detection.bbox.size_y, detection.id) == (200.0, 100.0, "")
    assert detection.results[0].hypothesis.class_id == "0"
    assert published("events", Signs((known,))) == []


def track(id_: int, box: Any, label: str = "", score: float = 0.0, **fields: Any) -> Track:
    """A track of SIGNS; without a label it is not a known sign."""
    class_id = SIGNS.labels.index(label) if label else -1
    sign = Sign(class_id, label, score, 1.0, bool(label), box, np.zeros(0, np.float32), {})
    state = {"is_confirmed": False, "is_seen": True} | fields
    return Track(id_, class_id, label, score, box, age_s=0.0, sign=sign, **state)


def published(name: str, result: Any, rois: Any = None) -> Any:
    """What a topic carries of a result in a frame of 200x100 pixels; of events, all messages."""
    (topic,) = [topic for topic in topics.SIGNS.results if topic.name == f"signs/{name}"]
    messages = topic.messages(results.make, result, topics.Origin(results.header(5, ""), (100, 200), rois))
    assert all(message.header.stamp.nanosec == 5 for message in messages)
    return messages if topic.events else messages[0]


def in_view(*tracks: Track, **fields: Any) -> Tracks:
    seen = tuple(track for track in tracks if track.is_seen)
    return Tracks(tracks, Signs(tuple(track.sign for track in seen)), seen, **fields)


def test_every_box_found_in_a_frame_has_the_number_and_the_class_of_its_track() -> None:
    hidden = track(3, (0, 0, 90, 90), "Green", 0.9, is_confirmed=True, is_seen=False)
    tracks = in_view(track(8, (10, 20, 30, 60), "Red", 0.75), track(2, (0, 0, 10, 10)), hidden)
    first, second = published("detections", tracks).detections
    position = first.bbox.center.position
    assert (position.x, position.y, first.bbox.size_x, first.bbox.size_y) == (20.0, 40.0, 20.0, 40.0)
    assert [(r.hypothesis.class_id, r.hypothesis.score) for r in first.results] == [("2", 0.75)]
    assert (first.id, second.id, second.results) == ("8", "2", [])


def test_a_box_that_came_with_the_frame_stays_as_it_is_but_for_a_missing_number() -> None:
    tracks = in_view(track(8, (10, 20, 30, 60), "Red", 0.75), track(2, (0, 0, 10, 10)))
    turned = Roi(20.0, 40.0, 12.0, 30.0, 0.5, "left one")
    first, second = published("detections", tracks, [turned, Roi(5.0, 5.0, 10.0, 10.0, 0.0, "")]).detections
    assert (first.id, first.bbox.center.theta, first.bbox.size_x) == ("left one", 0.5, 12.0)
    assert second.id == "2"


def test_what_applies_now_is_the_confirmed_signs_and_the_nearest_comes_first() -> None:
    far = track(1, (0, 0, 10, 10), "Red", 0.99, is_confirmed=True)
    near = track(2, (0, 0, 40, 40), "Green", 0.8, is_confirmed=True, is_seen=False)
    unsure = track(3, (0, 0, 90, 90), "Blue", 0.9)
    now = published("classification", in_view(far, near, unsure)).results
    assert [(hypothesis.class_id, hypothesis.score) for hypothesis in now] == [("1", 0.8), ("2", 0.99)]
    assert published("classification", in_view(unsure)).results == []


def test_an_event_is_a_sign_that_comes_or_goes() -> None:
    gone, come = track(1, (0, 0, 10, 10), "Red", 0.9), track(2, (10, 20, 30, 60), "Green", 0.8)
    left, confirmed = published("events", in_view(come, confirmed=(come,), left=(gone,)))
    assert (left.id, left.results[0].hypothesis.class_id, left.results[0].hypothesis.score) == ("1", "2", 0.0)
    assert (confirmed.id, confirmed.results[0].hypothesis.class_id) == ("2", "1")
    assert confirmed.results[0].hypothesis.score == 0.8 and confirmed.bbox.center.position.y == 40.0
    assert published("events", in_view(come)) == []


def test_recorded_tracks_keep_their_numbers() -> None:
    tracks = in_view(track(8, (10, 20, 30, 60), "Red", 0.755), track(2, (0, 0, 10, 10)))
    names = dict(enumerate(SIGNS.labels))
    seen = parsed("signs", published("detections", tracks), names)
    assert [one.caption for one in seen.sightings()] == ["#8 Red 75%", "#2 unknown"]
    assert [one.box for one in seen] == [(10, 20, 30, 60), (0, 0, 10, 10)] and bool(seen[0])
    own = [Roi(20.0, 40.0, 20.0, 40.0, 0.0, "left one"), Roi(5.0, 5.0, 10.0, 10.0, 0.0, "2")]
    seen = parsed("signs", published("detections", tracks, own), names)
    assert [one.caption for one in seen.sightings()] == ["Red 75%", "unknown"]


def test_what_each_topic_offers_is_what_the_documentation_says() -> None:
    offered = {topic.name: topic for task in tasks.shipped() for topic in topics.of_task(task).results}
    assert offered["signs/detections"].qos == topics.Qos(depth=10, reliable=True, latched=False)
    assert offered["signs/classification"].qos == offered["signs/detections"].qos
    assert offered["signs/events"].qos == topics.Qos(depth=256, reliable=True, latched=False)
    assert not offered["signs/detections"].on_demand
    assert offered["segmentation/mask"].qos == topics.Qos(depth=1, reliable=True, latched=False)
    assert offered["segmentation/confidence"].qos == topics.Qos(depth=1, reliable=False, latched=False)
    assert offered["segmentation/mask"].on_demand and offered["segmentation/confidence"].on_demand
    assert topics.Qos(depth=1, reliable=True, latched=True) == topics.LATCHED  # of label_info
