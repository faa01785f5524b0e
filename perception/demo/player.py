"""Play: publish a bag over DDS at its own pace, for machines without rosbag2.

The serialized messages are published as they were recorded, header stamps included.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import rclpy
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock

from perception.demo.outlet import PATIENCE_S, Outlet
from perception.errors import InputError
from perception.nodes.messages import message_class
from perception.nodes.middleware import started
from perception.recordings import jumps as clock_jumps
from perception.recordings.bag import BagReader

Jumps = Literal["skip", "wait"]
JUMPS: tuple[Jumps, ...] = ("skip", "wait")

_DEPTH = 10
_HISTORY_S = 0.5  # as much of a busy topic is kept, so that an acknowledgement has time to come
_CLOCK_STEP_S = 0.025  # 40 Hz, as ros2 bag play
_LONGEST_HISTORY = 1000
_STEADY_S = 0.5  # DDS discovers subscribers one by one; without a new one for this long, all are there
_PARTLY_STEADY_S = 2.0  # the same, while some topics have no subscriber
_LATE_S = 0.2  # held up for longer, a message makes all later ones late; below, they catch up
_SILENT_S = 1.0  # whoever waits longer is informed


def play(
    path: Path,
    *,
    rate: float = 1.0,
    loop: bool = False,
    clock: bool = False,
    topics: Sequence[str] | None = None,
    subscribers: int = 1,
    wait_s: float = 10.0,
    jumps: Jumps = "skip",
) -> None:
    """Publish a bag; returns at its end.

    Args:
        path: a bag folder, or one storage file.
        rate: 2.0 plays twice as fast.
        loop: begin again at the end, forever.
        clock: publish the bag's time on /clock.
        topics: only these.
        subscribers: begin when one topic has this many, and no more turn up.
        wait_s: but begin after so long in any case.
        jumps: what to do where there is no message for over a minute of the bag's time.

    Raises:
        InputError: the bag cannot be read, has none of the topics, or none of an installed type.
        PerceptionError: ROS 2 cannot start here.
    """
    with BagReader(path) as bag, started(lambda: rclpy.create_node("player")) as node:
        if not bag.is_cdr:
            raise InputError(f"{path}: a ROS 1 bag; 'rosbags-convert' makes a ROS 2 bag of it")
        # Two clocks on one topic would make the nodes' time jump; ros2 bag play leaves the bag's out, too.
        outlets = _outlets(node, bag, topics, without={"/clock"} if clock else set())
        ticker = node.create_publisher(Clock, "/clock", _DEPTH) if clock else None
        print(f"{path}: {', '.join(outlets)}", file=sys.stderr)
        _wait_for_subscribers(node, [outlet.publisher for outlet in outlets.values()], subscribers, wait_s)
        period_s = clock_jumps.period_s(bag.rate_hz(max(outlets, key=bag.count)))
        pace = _Pace(rate, jumps, period_s)
        try:
            while True:
                _play_once(bag, outlets, pace, ticker)
                if not loop:
                    break
                # Pause before the first message comes again, as long as between two of the busiest topic.
                time.sleep(period_s / rate)
            _wait_for_acknowledgements(outlets)
        except InputError:  # the bag is damaged, and the messages before that are good
            _wait_for_acknowledgements(outlets)
            raise
        finally:
            for topic, outlet in outlets.items():
                if outlet.missed:
                    _say(f"{topic}: {outlet.missed} messages were not acknowledged by every subscriber")


def publisher_qos(offered: Sequence[Qos], rate_hz: float) -> QoSProfile:
    """What to offer, given what the recorded publishers offered and how many messages a second there are.

    It is reliable if they differ or the bag does not say, because that suits every subscriber. The history is
    longer than the recorded one where messages come fast, unless late subscribers would get it all.
    """
    best_effort = bool(offered) and all(qos.reliability is QosReliability.BEST_EFFORT for qos in offered)
    latched = bool(offered) and all(qos.durability is QosDurability.TRANSIENT_LOCAL for qos in offered)
    depth = max((qos.depth for qos in offered), default=0) or _DEPTH
    if not latched:
        depth = max(depth, min(math.ceil(_HISTORY_S * rate_hz), _LONGEST_HISTORY))
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _outlets(
    node: Node, bag: BagReader, topics: Sequence[str] | None, *, without: Collection[str]
) -> dict[str, Outlet]:
    missing = [topic for topic in topics or () if topic not in bag.topics]
    if missing:
        raise InputError(f"{bag.path}: no {', '.join(missing)}; it has {', '.join(sorted(bag.topics))}")
    outlets: dict[str, Outlet] = {}
    first = next(bag.raw(bag.topics), None)
    duration_s = max(1.0, (bag.end_ns - first[1]) / 1e9) if first else 1.0
    not_installed, misnamed = {}, []
    for topic, kind in bag.topics.items():
        if (topics and topic not in topics) or topic in without:
            continue
        cls = message_class(kind)
        if cls is None:
            not_installed[topic] = kind
        else:
            try:
                qos = publisher_qos(bag.offered_qos(topic), bag.count(topic) / duration_s)
                outlets[topic] = Outlet(node.create_publisher(cls, topic, qos), qos.depth)
            except InvalidTopicNameException:  # ROS 1 is less strict, and so are its converted bags
                misnamed.append(topic)
    reasons = []
    if not_installed:
        reasons.append(
            "because the message type is not installed: "
            + ", ".join(f"{topic} ({kind})" for topic, kind in not_installed.items())
        )
    if misnamed:
        reasons.append(f"because ROS 2 allows no such name: {', '.join(misnamed)}")
    if not outlets:
        raise InputError(f"{bag.path}: no topic can be played, {'; '.join(reasons)}")
    for reason in reasons:
        _say(f"not played, {reason}")
    return outlets


def _wait_for_subscribers(
    node: Node, publishers: Collection[Publisher], subscribers: int, wait_s: float
) -> None:
    """Wait until discovery has come to rest.

    The first match shows how slow discovery is on this machine at this moment. Others may need as long again,
    and so may the other side of a match, which DDS does not show.
    """
    begin = time.monotonic()
    counts: list[tuple[int, int]] = []
    steady_s, since = 0.0, begin
    is_announced = False
    while (now := time.monotonic()) < begin + wait_s:
        matched = [publisher.get_subscription_count() for publisher in publishers]
        known = [len(node.get_subscriptions_info_by_topic(p.topic_name)) for p in publishers]
        seen = list(zip(matched, known, strict=True))
        if any(matched) and not steady_s:
            steady_s = max(_STEADY_S, now - begin)
        if seen != counts:
            counts, since = seen, now
        elif max(matched) >= subscribers:
            rest_s = steady_s if all(matched) else max(steady_s, _PARTLY_STEADY_S)
            if now - since >= rest_s:
                return
        if not is_announced and max(matched) < subscribers and now - begin > _SILENT_S:
            wanted = "a subscriber" if subscribers == 1 else f"a topic with {subscribers} subscribers"
            _say(f"waiting for {wanted}, {wait_s:g} s at most (--wait)")
            is_announced = True
        time.sleep(0.05)
    if not any(publisher.get_subscription_count() for publisher in publishers):
        _say(f"no subscriber after {wait_s:g} s; the bag is played all the same")


def _wait_for_acknowledgements(outlets: Mapping[str, Outlet]) -> None:
    """Stay until the last messages are there; ending earlier would lose them."""
    end = time.monotonic() + PATIENCE_S
    for outlet in outlets.values():
        if not outlet.acknowledged(max(0.0, end - time.monotonic())):
            outlet.missed = outlet.unacknowledged


class _Pace:
    """When messages are due.

    Args:
        rate: 2.0 plays twice as fast.
        jumps: whether to skip jumps of the bag's time.
        period_s: what a skipped jump is closed to.
    """

    def __init__(self, rate: float, jumps: Jumps, period_s: float) -> None:
        self.rate = rate
        self._jumps, self._period_s = jumps, period_s
        self._named: set[int] = set()
        self._last_ns: int | None = None
        self._anchor_ns = 0
        self._anchor_s = 0.0

    def restart(self) -> None:
        """Begin the bag, or begin it again."""
        self._last_ns = None

    def due_s(self, time_ns: int) -> float:
        """When the next message is to be published, by the monotonic clock."""
        if self._last_ns is None:
            self._anchor_ns, self._anchor_s = time_ns, time.monotonic()
        elif clock_jumps.is_jump(self._last_ns, time_ns, self._period_s):
            self._name(self._last_ns, time_ns)
            if self._jumps == "skip":
                due_s = self._at(self._last_ns) + self._period_s / self.rate
                self._anchor_ns, self._anchor_s = time_ns, due_s
        self._last_ns = time_ns
        return self._at(time_ns)

    def shift(self, seconds: float) -> None:
        """Let everything come later, because a message was held up."""
        self._anchor_s += seconds

    def bag_ns(self) -> int:
        """The bag's time now."""
        return self._anchor_ns + round((time.monotonic() - self._anchor_s) * self.rate * 1e9)

    def _at(self, time_ns: int) -> float:
        return self._anchor_s + (time_ns - self._anchor_ns) / 1e9 / self.rate

    def _name(self, before_ns: int, after_ns: int) -> None:
        if before_ns in self._named:  # in an earlier round
            return
        self._named.add(before_ns)
        what = clock_jumps.described(before_ns, after_ns)
        skipped = "skipped; '--jumps wait' waits" if self._jumps == "skip" else "waiting as long"
        _say(f"the time of recording jumps by {what}: {skipped}")


def _play_once(bag: BagReader, outlets: Mapping[str, Outlet], pace: _Pace, ticker: Publisher | None) -> None:
    pace.restart()
    clock_ns: int | None = None  # last published on /clock
    for topic, time_ns, data in bag.raw(outlets):
        due = pace.due_s(time_ns)
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, _CLOCK_STEP_S))
            # Between two sides of a jump, the clock waits at neither.
            if ticker is not None and clock_ns is not None and clock_ns <= (now_ns := pace.bag_ns()):
                clock_ns = min(now_ns, time_ns)
                _tick(ticker, clock_ns)
        # The first message and late ones do not wait above, but no message may be ahead of the clock.
        if ticker is not None and (clock_ns is None or time_ns > clock_ns):
            clock_ns = time_ns
            _tick(ticker, clock_ns)
        waited_s = outlets[topic].publish(data)
        if waited_s > _LATE_S:
            pace.shift(waited_s)


def _tick(ticker: Publisher, time_ns: int) -> None:
    message = Clock()
    message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
    ticker.publish(message)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
