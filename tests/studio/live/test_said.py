"""What nodes say is shown as it was meant; messages of any content become a sentence and no error."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest

from perception import topics
from perception.ground.steady import GroundFollower
from perception.ground.topics import GROUND, PATH, POSE, RANGE, RoadOnGround
from studio.live import said
from tests.ground.tracks import across, arc, camera, ground, lane, mask

SIGNS = topics.SIGNS


def arrived(message: Any, *, ago_s: float = 0.0) -> Any:
    return SimpleNamespace(message=message, at=time.monotonic() - ago_s, clock=time.time() - ago_s, number=1)


def status(name: str, level: int, message: str, **values: str) -> Any:
    pairs = [SimpleNamespace(key=key, value=value) for key, value in values.items()]
    return SimpleNamespace(name=name, level=bytes([level]), message=message, values=pairs)


def array(*statuses: Any) -> Any:
    return SimpleNamespace(status=list(statuses))


def detection(own_id: str, class_id: str, score: float, x: float = 10.0) -> Any:
    hypothesis = SimpleNamespace(hypothesis=SimpleNamespace(class_id=class_id, score=score))
    center = SimpleNamespace(position=SimpleNamespace(x=x, y=20.0), theta=0.0)
    bbox = SimpleNamespace(center=center, size_x=4.0, size_y=6.0)
    return SimpleNamespace(id=own_id, results=[hypothesis] if class_id else [], bbox=bbox)


def test_lamps_have_the_newest_word_of_each_node_and_the_worst_first() -> None:
    messages = [
        arrived(array(status("signs: frames", 2, "a frame failed"))),
        arrived(array(status("segmentation: frames", 1, "a gap", rate_hz="9.8"))),
        arrived(array(status("signs: frames", 0, "10.0 frames/s"))),
        arrived(array(status("camera", 3, "no data"))),
        arrived(array(status("wheels", 77, "?"))),
    ]
    lamps, problem = said.lamps(messages)
    assert [(lamp.name, lamp.level) for lamp in lamps] == [
        ("camera", "stale"),
        ("wheels", "odd"),
        ("segmentation: frames", "warn"),
        ("signs: frames", "ok"),
    ]
    assert lamps[2].values == (("rate_hz", "9.8"),) and lamps[2].node == "/segmentation"
    assert not problem


def test_a_node_that_says_nothing_any_more_is_not_ok() -> None:
    ((lamp,), _) = said.lamps([arrived(array(status("signs: frames", 0, "10.0 frames/s")), ago_s=9.0)])
    assert lamp.level == "silent"
    assert lamp.text == "has said nothing for 9 s; before: 10.0 frames/s"


def test_signs_have_track_name_and_box() -> None:
    message = SimpleNamespace(detections=[detection("7", "1", 0.9), detection("8", "", 0.0)])
    seen, problem = said.seen(SIGNS, arrived(message), {1: "Stop"})
    assert [(one.number, one.label, round(one.score, 1), one.box) for one in seen] == [
        ("7", "Stop", 0.9, "8, 17, 12, 23"),
        ("8", "unknown", 0.0, "8, 17, 12, 23"),
    ]
    assert not problem
    unfollowed = SimpleNamespace(detections=[detection("", "1", 0.9)])
    assert said.seen(SIGNS, arrived(unfollowed), {1: "Stop"})[0][0].number == ""
    assert said.seen(SIGNS, None, {}) == ([], "")


@pytest.mark.parametrize(
    "message",
    [
        SimpleNamespace(detections=[detection("7", "one", 0.9)]),
        SimpleNamespace(detections=[detection("7", "1", 0.9, x=math.nan)]),
        SimpleNamespace(detections=None),
    ],
)
def test_detections_that_make_no_sense_are_a_sentence(message: Any) -> None:
    seen, problem = said.seen(SIGNS, arrived(message), {1: "Stop"})
    assert not seen and problem.startswith("a message on signs/detections cannot be read: ")


def test_events_say_what_came_and_what_left_the_newest_first() -> None:
    messages = [arrived(detection("1", "0", 0.9)), arrived(detection("2", "", 0.0))]
    messages.append(arrived(detection("1", "0", 0.0)))
    events = said.events(messages, {0: "Stop"})
    assert [(event.came, event.label, event.number) for event in events] == [
        (False, "Stop", "1"),
        (True, "Stop", "1"),
    ]


def test_names_that_are_unknown_stay_numbers() -> None:
    results_of = [SimpleNamespace(class_id="3"), SimpleNamespace(class_id="x")]
    assert said.applying(arrived(SimpleNamespace(results=results_of)), {}) == ["3", "x"]
    assert said.names(None) == {} == said.names(arrived(SimpleNamespace(class_map=7)))


def make(kind: str, **fields: Any) -> Any:
    return SimpleNamespace(**fields)


def of_ground(roll: float = 0.0) -> tuple[Any, dict[str, Any]]:
    """What a follower knows of a lane 5 cm to the right with a stop line, and the messages about it."""
    seen_by = camera(roll=roll)
    road = mask(seen_by, [*lane(arc(0.05)), across(arc(0.05), 0.6)])
    follower = GroundFollower(ground(seen_by))
    for stamp in range(3):
        known = follower.update(road, 100_000_000 * (stamp + 1))
    origin = topics.Origin(None, (120, 160))
    whole = RoadOnGround.of(road, known)
    wanted = [topic for topic in GROUND if topic.kind in (PATH, POSE, RANGE)]
    return known, {topic.kind: topic.messages(make, whole, origin)[0] for topic in wanted}


@pytest.mark.parametrize("roll", [0.0, 0.1])
def test_the_way_is_where_the_node_has_it(roll: float) -> None:
    known, messages = of_ground(roll)
    way = said.way(*(arrived(messages[kind]) for kind in (PATH, POSE, RANGE)))
    assert not way.problems
    for point, place in zip(way.points, known.corridor.middle[::5], strict=True):
        assert point == pytest.approx(tuple(place), abs=1e-6)
    assert way.lane.startswith(f"{abs(known.lane.offset_m):.2f} m to the right at 0.50 m ahead")
    assert way.stop_line == f"{known.stop_line.distance_m:.2f} m away"


def test_what_is_old_or_not_finite_is_no_way() -> None:
    _, messages = of_ground()
    old = said.way(*(arrived(messages[kind], ago_s=5.0) for kind in (PATH, POSE, RANGE)))
    assert (old.points, old.lane, old.stop_line) == ((), "unknown", "unknown")
    messages[PATH].poses[0].pose.position.x = math.nan
    messages[POSE].pose.orientation = SimpleNamespace(x=math.inf, y=0.0, z=0.0, w=0.0)
    messages[RANGE] = SimpleNamespace(range=math.inf)
    way = said.way(*(arrived(messages[kind]) for kind in (PATH, POSE, RANGE)))
    assert (way.points, way.lane, way.stop_line) == ((), "unknown", "none")
    assert [problem.partition(":")[0] for problem in way.problems] == ["corridor", "lane"]
