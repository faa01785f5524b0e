"""Said: what the nodes say about themselves, about signs and about the floor, out of their newest messages.

Each function takes messages of any content. What cannot be read is a sentence in the result, and no error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from perception import topics
from perception.topics import TaskTopics
from perception.tracking import Tracks

if TYPE_CHECKING:  # it needs ROS 2, which need not be there
    from studio.live.watched import Arrived

Vector = NDArray[np.float64]

LEVELS = ("ok", "warn", "error", "stale")  # by the number in a DiagnosticStatus
SILENT, ODD = "silent", "odd"
_WORST_FIRST = ("error", "stale", SILENT, ODD, "warn", "ok")
_SILENT_S = 4.0
_EVENTS = 12


@dataclass(frozen=True)
class Lamp:
    """One diagnostic status.

    Attributes:
        name: as its node gives it.
        level: one of ``LEVELS``, or ``SILENT``: nothing comes any more, or ``ODD``: no level that there is.
        text: its sentence.
        values: all else that it says.
    """

    name: str
    level: str
    text: str
    values: tuple[tuple[str, str], ...]

    @property
    def node(self) -> str:
        """Full name of the node, as the nodes of this project name their status."""
        return f"/{self.name.partition(':')[0]}"


@dataclass(frozen=True)
class Seen:
    """A sign in the newest frame: the number of its track, if it is followed, its name, score and box."""

    number: str
    label: str
    score: float
    box: str


@dataclass(frozen=True)
class Event:
    """A sign that came or left: when (seconds since 1970), whether it came, its name and its track."""

    clock: float
    came: bool
    label: str
    number: str


@dataclass(frozen=True)
class Way:
    """The corridor from above.

    Attributes:
        points: metres ahead and to the left, the nearest first.
        lane: where the lane is, in words.
        stop_line: likewise.
        problems: what could not be read.
    """

    points: tuple[tuple[float, float], ...] = ()
    lane: str = "unknown"
    stop_line: str = "unknown"
    problems: tuple[str, ...] = field(default=())


def lamps(messages: Sequence[Arrived]) -> tuple[list[Lamp], str]:
    """The newest status of each name, worst first, and what could not be read."""
    newest: dict[str, tuple[Arrived, Any]] = {}
    problem = ""
    for arrived in messages:
        try:
            newest |= {str(status.name): (arrived, status) for status in arrived.message.status}
        except Exception as error:
            problem = f"a message on {topics.DIAGNOSTICS} cannot be read: {error}"
    found = [_lamp(name, *one) for name, one in newest.items()]
    return sorted(found, key=lambda lamp: (_WORST_FIRST.index(lamp.level), lamp.name)), problem


def names(arrived: Arrived | None) -> dict[int, str]:
    """Class names by id, of a LabelInfo; empty if none has come, or it cannot be read."""
    try:
        classes = arrived.message.class_map if arrived is not None else []
        return {int(one.class_id): str(one.class_name) for one in classes}
    except Exception:  # numbers stand for the names then
        return {}


def seen(table: TaskTopics, arrived: Arrived | None, labels: Mapping[int, str]) -> tuple[list[Seen], str]:
    """The signs of the newest frame, and what could not be read."""
    if arrived is None:
        return [], ""
    try:
        result: Any = table.parse(arrived.message, labels, ())
        things = (
            [(str(track.id), track) for track in result]
            if isinstance(result, Tracks)
            else [("", sign) for sign in result]
        )
        return [_seen(number, thing) for number, thing in things], ""
    except Exception as error:
        return [], f"a message on {table.shown.name} cannot be read: {error}"


def applying(arrived: Arrived | None, labels: Mapping[int, str]) -> list[str]:
    """Names of what applies now, of a Classification; the nearest first."""
    try:
        results = arrived.message.results if arrived is not None else []
        return [_label(one.class_id, labels) for one in results]
    except Exception:
        return []


def events(messages: Sequence[Arrived], labels: Mapping[int, str]) -> list[Event]:
    """The signs that came and left of late, the newest first."""
    found = []
    for arrived in reversed(messages[-_EVENTS:]):
        try:
            best = arrived.message.results[0].hypothesis
            label, number = _label(best.class_id, labels), str(arrived.message.id)
            found.append(Event(arrived.clock, best.score > 0, label, number))
        except Exception:  # one that has no class is no news
            continue
    return found


def way(
    path: Arrived | None, lane: Arrived | None, stop_line: Arrived | None, *, fresh_s: float = 1.0
) -> Way:
    """Corridor, lane and stop line; what is older than ``fresh_s`` is unknown."""
    points: tuple[tuple[float, float], ...] = ()
    said, problems = {"lane": "unknown", "stop line": "unknown"}, []
    for name, arrived in (("corridor", path), ("lane", lane), ("stop line", stop_line)):
        if arrived is None or time.monotonic() - arrived.at > fresh_s:
            continue
        try:
            if name == "corridor":
                points = tuple(_on_floor(pose.pose)[:2] for pose in arrived.message.poses)
            elif name == "lane":
                said[name] = _lane(arrived.message.pose)
            else:
                said[name] = _stop_line(float(arrived.message.range))
        except Exception as error:
            problems.append(f"{name}: {error}")
    return Way(points, said["lane"], said["stop line"], tuple(problems))


def _lamp(name: str, arrived: Arrived, status: Any) -> Lamp:
    number = int.from_bytes(status.level, "little") if isinstance(status.level, bytes) else int(status.level)
    level = LEVELS[number] if number < len(LEVELS) else ODD
    text = str(status.message)
    silent_s = time.monotonic() - arrived.at
    if silent_s > _SILENT_S:
        level, text = SILENT, f"has said nothing for {silent_s:.0f} s; before: {text}"
    return Lamp(name, level, text, tuple((str(one.key), str(one.value)) for one in status.values))


def _seen(number: str, thing: Any) -> Seen:
    if thing.box and not all(map(math.isfinite, thing.box)):
        raise ValueError("a box has numbers that are not finite")
    box = ", ".join(f"{side:.0f}" for side in thing.box) if thing.box else ""
    return Seen(number, str(thing.label) or "unknown", float(thing.score), box)


def _label(class_id: str, labels: Mapping[int, str]) -> str:
    return labels.get(int(class_id), str(class_id)) if str(class_id).isdecimal() else str(class_id)


def _lane(pose: Any) -> str:
    ahead, left, heading = _on_floor(pose)
    where = f"{abs(left):.2f} m to the {_side(left)} at {ahead:.2f} m ahead"
    return f"{where}, turned by {abs(heading):.2f} rad to the {_side(heading)}"


def _side(value: float) -> str:
    return "left" if value >= 0 else "right"


def _stop_line(distance_m: float) -> str:
    if math.isnan(distance_m):
        return "unknown"
    return "none" if math.isinf(distance_m) else f"{distance_m:.2f} m away"


def _on_floor(pose: Any) -> tuple[float, float, float]:
    """Metres ahead and left, and heading, of a pose on the floor, which is in the frame of the camera.

    The pose's own z axis is up, so no more needs to be known of how the camera is above the floor.

    Raises:
        ValueError: it holds NaN or the like, or the camera looks straight down.
    """
    p, q = pose.position, pose.orientation
    place, turn = np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w])
    if not (np.isfinite(place).all() and np.isfinite(turn).all()):
        raise ValueError("a pose holds numbers that are not finite")
    way, up = _axes(turn)
    forward = _along(np.array([0.0, 0.0, 1.0]), up)  # where the camera looks, on the floor
    aside = np.cross(up, forward)
    heading = math.atan2(float(way @ aside), float(way @ forward))
    return float(place @ forward), float(place @ aside), heading


def _axes(quaternion: Vector) -> tuple[Vector, Vector]:
    """The x axis and the z axis of a frame that is turned by x, y, z, w."""
    x, y, z, w = quaternion / (np.linalg.norm(quaternion) or 1.0)
    return (
        np.array([1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)]),
        np.array([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)]),
    )


def _along(direction: Vector, up: Vector) -> Vector:
    flat = direction - (direction @ up) * up
    length = float(np.linalg.norm(flat))
    if not length > 1e-6:
        raise ValueError("a pose does not say which way is up")
    return np.asarray(flat / length, np.float64)
