"""Play: publish a bag over DDS at its own pace, for machines without rosbag2.

The serialized messages are published as they were recorded, header stamps included.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Qos, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock

from perception.errors import InputError
from perception.nodes.messages import message_class
from perception.nodes.middleware import carry_large_messages, started
from perception.recordings.bag import BagReader

_DEPTH = 10
_CLOCK_STEP_S = 0.025  # 40 Hz, as ros2 bag play
_STEADY_S = 0.5  # DDS discovers subscribers one by one; without a new one for this long, all are there


def play(
    path: Path,
    *,
    rate: float = 1.0,
    loop: bool = False,
    clock: bool = False,
    topics: Sequence[str] | None = None,
    subscribers: int = 1,
    wait_s: float = 2.0,
) -> None:
    """Publish a bag; returns at its end.

    Args:
        path: a bag folder, or one storage file.
        rate: 2.0 plays twice as fast.
        loop: begin again at the end, forever.
        clock: publish the bag's time on /clock.
        topics: only these.
        subscribers: wait until all topics have a subscriber and one topic has this many.
        wait_s: but no longer than that.

    Raises:
        InputError: the bag cannot be read, has none of the topics, or none of an installed type.
        PerceptionError: ROS 2 cannot start here.
    """
    carry_large_messages()
    with BagReader(path) as bag, started(lambda: rclpy.create_node("player")) as node:
        if not bag.is_cdr:
            raise InputError(f"{path}: a ROS 1 bag; 'rosbags-convert' makes a ROS 2 bag of it")
        # Two clocks on one topic would make the nodes' time jump; ros2 bag play leaves the bag's out, too.
        publishers = _publishers(node, bag, topics, without={"/clock"} if clock else set())
        ticker = node.create_publisher(Clock, "/clock", _DEPTH) if clock else None
        print(f"{path}: {', '.join(publishers)}", file=sys.stderr)
        _wait_for_subscribers(list(publishers.values()), subscribers, wait_s)
        while True:
            _play_once(bag, publishers, rate=rate, ticker=ticker)
            if not loop:
                break
            # Pause before the first message comes again, as long as between two of the busiest topic.
            time.sleep(1.0 / bag.rate_hz(max(publishers, key=bag.count)) / rate)
        for publisher in publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=1.0))  # or the last message may be lost


def publisher_qos(offered: Sequence[Qos]) -> QoSProfile:
    """What to offer, given what the recorded publishers offered.

    It is reliable if they differ or the bag does not say, because that suits every subscriber.
    """
    best_effort = bool(offered) and all(qos.reliability is QosReliability.BEST_EFFORT for qos in offered)
    latched = bool(offered) and all(qos.durability is QosDurability.TRANSIENT_LOCAL for qos in offered)
    return QoSProfile(
        depth=max((qos.depth for qos in offered), default=0) or _DEPTH,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _publishers(
    node: Node, bag: BagReader, topics: Sequence[str] | None, *, without: Collection[str]
) -> dict[str, Publisher]:
    missing = [topic for topic in topics or () if topic not in bag.topics]
    if missing:
        raise InputError(f"{bag.path}: no {', '.join(missing)}; it has {', '.join(sorted(bag.topics))}")
    publishers, not_installed, misnamed = {}, {}, []
    for topic, kind in bag.topics.items():
        if (topics and topic not in topics) or topic in without:
            continue
        cls = message_class(kind)
        if cls is None:
            not_installed[topic] = kind
        else:
            try:
                publishers[topic] = node.create_publisher(cls, topic, publisher_qos(bag.offered_qos(topic)))
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
    if not publishers:
        raise InputError(f"{bag.path}: no topic can be played, {'; '.join(reasons)}")
    for reason in reasons:
        print(f"not played, {reason}", file=sys.stderr)
    return publishers


def _wait_for_subscribers(publishers: Collection[Publisher], subscribers: int, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    counts: list[int] = []
    since = time.monotonic()
    while (now := time.monotonic()) < end:
        seen = [publisher.get_subscription_count() for publisher in publishers]
        if seen != counts:
            counts, since = seen, now
        elif all(counts) and max(counts) >= subscribers and now - since >= _STEADY_S:
            return
        time.sleep(0.05)


def _play_once(
    bag: BagReader, publishers: Mapping[str, Publisher], *, rate: float, ticker: Publisher | None
) -> None:
    first_ns: int | None = None
    begin = 0.0
    clock_ns = -math.inf  # last published on /clock
    for topic, time_ns, data in bag.raw(publishers):
        if first_ns is None:
            first_ns, begin = time_ns, time.monotonic()
        due = begin + (time_ns - first_ns) / 1e9 / rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, _CLOCK_STEP_S))
            if ticker is not None:
                elapsed_ns = round((time.monotonic() - begin) * rate * 1e9)
                clock_ns = min(first_ns + elapsed_ns, time_ns)
                _tick(ticker, clock_ns)
        # The first message and late ones do not wait above, but no message may be ahead of the clock.
        if ticker is not None and time_ns > clock_ns:
            clock_ns = time_ns
            _tick(ticker, clock_ns)
        publishers[topic].publish(data)


def _tick(ticker: Publisher, time_ns: int) -> None:
    message = Clock()
    message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
    ticker.publish(message)
