"""View: what a page shows of the graph. To look at it is what keeps its topics subscribed to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perception import topics
from perception.ground.topics import GROUND, PATH, POSE, RANGE
from perception.tasks import shipped
from studio.live import pictures, said
from studio.live.pictures import Picture, Source

if TYPE_CHECKING:  # it needs ROS 2, which need not be there
    from studio.live.graph import Graph
    from studio.live.watched import Arrived

STATUSES, EVENTS = 30, 20  # messages that are kept
FRESH_S = 2.0  # what is older is not what is there now

_SIGNS = [table for table in map(topics.of_task, shipped()) if table.shown.kind == topics.DETECTIONS]
_LABELS = {topics.of_task(task).shown.name: topics.label_info_name(task) for task in shipped()}
_GROUND = {topic.kind: topic.name for topic in GROUND}
KINDS = {
    *pictures.KINDS,
    *(topic.kind for table in _SIGNS for topic in table.results),
    *(PATH, POSE, RANGE, topics.LABEL_INFO, topics.DIAGNOSTIC_ARRAY),
}


@dataclass(frozen=True)
class Signs:
    """What one node says of signs.

    Attributes:
        place: namespace of its topics, such as ``/`` or ``/car/``.
        applying: names of the signs that apply now, the nearest first.
        seen: signs in the newest frame; None if none has come of late.
        events: signs that came and left, the newest first.
        problem: what could not be read; empty if all could.
    """

    place: str
    applying: Sequence[str]
    seen: Sequence[said.Seen] | None
    events: Sequence[said.Event]
    problem: str


@dataclass(frozen=True)
class Shown:
    """A picture on the page: its topic, how often it comes, and what it is or what is wrong with it."""

    source: Source
    rate_hz: float
    about: str
    problem: str


def lamps(graph: Graph, offered: Mapping[str, str]) -> tuple[list[said.Lamp], str]:
    """What the nodes say about themselves, and what of it could not be read."""
    if offered.get(topics.DIAGNOSTICS) != topics.DIAGNOSTIC_ARRAY:
        return [], ""
    watched = graph.watch(topics.DIAGNOSTICS, topics.DIAGNOSTIC_ARRAY, depth=STATUSES)
    return said.lamps(watched.messages)


def signs(graph: Graph, offered: Mapping[str, str]) -> list[Signs]:
    """What is said of signs, by namespace."""
    return [
        _signs(graph, offered, table, place)
        for table in _SIGNS
        for place in _places(offered, table.shown.name, table.shown.kind)
    ]


def ways(graph: Graph, offered: Mapping[str, str]) -> list[tuple[str, said.Way]]:
    """(namespace, corridor, lane and stop line) of each node that says something in metres."""
    return [
        (
            place,
            said.way(*(_newest(graph, offered, place + _GROUND[kind], kind) for kind in (PATH, POSE, RANGE))),
        )
        for place in _places(offered, _GROUND[PATH], PATH)
    ]


def shown(graph: Graph, offered: Mapping[str, str], source: Source) -> Shown:
    """What stands under a picture."""
    watched = graph.watch(source.topic, source.kind)
    if watched.newest is None:
        return Shown(source, 0.0, "", "nothing has come yet")
    made = picture(graph, offered, source, watched.newest)
    old_s = time.monotonic() - watched.newest.at
    problem = made.problem or (f"nothing has come for {old_s:.0f} s" if old_s > FRESH_S else "")
    return Shown(source, watched.rate_hz, made.about, problem)


def picture(graph: Graph, offered: Mapping[str, str], source: Source, arrived: Arrived) -> Picture:
    """What to show of a message on a topic with pictures."""
    return pictures.picture(source, arrived, _names(graph, offered, source.labels))


def _places(offered: Mapping[str, str], name: str, kind: str) -> list[str]:
    """The namespaces in which a topic is published, each with its last slash."""
    found = [topic for topic, of in offered.items() if of == kind and topic.endswith(f"/{name}")]
    return sorted(topic.removesuffix(name) for topic in found)


def _signs(graph: Graph, offered: Mapping[str, str], table: topics.TaskTopics, place: str) -> Signs:
    labels = _names(graph, offered, place + _LABELS[table.shown.name])
    names = {topic.kind: place + topic.name for topic in table.results}
    newest = _newest(graph, offered, names[topics.DETECTIONS], topics.DETECTIONS)
    now = _newest(graph, offered, names[topics.CLASSIFICATION], topics.CLASSIFICATION)
    seen, problem = said.seen(table, newest, labels)
    news: list[said.Event] = []
    if offered.get(names[topics.DETECTION]) == topics.DETECTION:
        watched = graph.watch(names[topics.DETECTION], topics.DETECTION, depth=EVENTS)
        news = said.events(watched.messages, labels)
    return Signs(place, said.applying(now, labels), None if newest is None else seen, news, problem)


def _newest(graph: Graph, offered: Mapping[str, str], topic: str, kind: str) -> Arrived | None:
    """The newest message of a topic; None if there is none, or none of late."""
    if offered.get(topic) != kind:
        return None
    arrived = graph.watch(topic, kind).newest
    return arrived if arrived is not None and time.monotonic() - arrived.at <= FRESH_S else None


def _names(graph: Graph, offered: Mapping[str, str], topic: str) -> dict[int, str]:
    """Names of classes by id; empty while none has come."""
    if offered.get(topic) != topics.LABEL_INFO:
        return {}
    return said.names(graph.watch(topic, topics.LABEL_INFO).newest)
