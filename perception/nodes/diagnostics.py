"""Health of a node: what became of its frames, reported once per second on /diagnostics."""

from __future__ import annotations

import platform
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from perception.latency import Latency

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
TOO_SLOW = "is the device hanging, or too slow?"


class Health:
    """Counts frames. The executor's thread and the worker's both write, so every method takes the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        self._reported_at = self._last_frame_at = time.monotonic()
        self._began_at: float | None = None
        self._latency = Latency()
        self._last_error = ""
        self.warning = ""  # what the node has to say besides, while frames are answered

    def restart(self) -> None:
        """Activated: the wait for a frame begins now."""
        with self._lock:
            self._last_frame_at = time.monotonic()

    def received(self, age_ms: float | None) -> None:
        """A frame came in; its age is None where its stamp is not set."""
        with self._lock:
            self._counts["frames_in"] += 1
            self._last_frame_at = time.monotonic()
            if age_ms is not None:
                self._latency.add({"age": age_ms})

    def received_rois(self) -> None:
        """A message with boxes came in."""
        with self._lock:
            self._counts["rois_in"] += 1

    @property
    def rois_in(self) -> int:
        """Messages with boxes since start-up."""
        with self._lock:
            return self._counts["rois_in"]

    def dropped(self) -> None:
        """A newer frame replaced one that waited."""
        with self._lock:
            self._counts["dropped"] += 1

    def unpaired(self, count: int) -> None:
        """Frames or boxes were dropped, because nothing with the same stamp came."""
        with self._lock:
            self._counts["unpaired"] += count

    def began(self) -> None:
        """The worker has taken a frame; one of the three below follows."""
        with self._lock:
            self._began_at = time.monotonic()

    def bad(self, reason: str, message: str) -> None:
        """A frame could not be used."""
        with self._lock:
            self._began_at = None
            self._counts[f"bad.{reason}"] += 1
            self._last_error = message

    def failed(self, message: str) -> None:
        """A frame was fine and its processing went wrong."""
        with self._lock:
            self._began_at = None
            self._counts["errors"] += 1
            self._last_error = message

    def processed(self, latency_ms: Mapping[str, float]) -> None:
        """A frame's results are out."""
        with self._lock:
            self._began_at = None
            self._counts["processed"] += 1
            self._latency.add(latency_ms)

    def status(
        self,
        *,
        state: str,
        fault: str,
        stale_after_s: float,
        input_gap: str,
        device_fault: str = "",
        device_gap: str = "",
        rois_gap: str,
        output_gaps: Sequence[str],
    ) -> DiagnosticStatus:
        """Level, message and values since the last call.

        Args:
            state: of the lifecycle.
            fault: why the last transition failed; empty when it did not.
            stale_after_s: how long may pass without a frame, or over one.
            input_gap: what to say about the input's publishers when no frame comes.
            device_fault: why the CPU answers for another device; empty if it does not.
            device_gap: what is being built while the CPU answers; empty if nothing is.
            rois_gap: what to say about the boxes' publishers when frames find no boxes; empty without boxes.
            output_gaps: subscribers that never get anything, in words.
        """
        with self._lock:
            now = time.monotonic()
            counts = Counter(self._counts)
            fresh = counts - self._reported
            rate_hz = fresh["processed"] / max(now - self._reported_at, 1e-3)
            self._reported, self._reported_at = counts, now
            silent_s = now - self._last_frame_at
            busy_s = now - self._began_at if self._began_at else 0.0
            percentiles = self._latency.percentiles()
            last_error = self._last_error

        bad = _bad(fresh)
        unpaired = fresh["unpaired"] and not fresh["processed"]
        judged: tuple[tuple[object, bytes, str], ...] = (  # what is worst first
            (fault, ERROR, fault),
            (state != "active", OK, state),
            (busy_s > stale_after_s, ERROR, f"at one frame for {busy_s:.0f} s; {TOO_SLOW}"),
            (silent_s > stale_after_s, STALE, f"no frames for {silent_s:.0f} s {input_gap}"),
            (device_fault, ERROR, device_fault),
            (fresh["errors"], ERROR, f"{fresh['errors']} frames failed; the last: {last_error}"),
            (bad, WARN if fresh["processed"] else ERROR, f"{bad} bad frames; the last: {last_error}"),
            (device_gap, WARN, device_gap),
            (rois_gap and counts["frames_in"] and not counts["rois_in"], WARN, f"no boxes {rois_gap}"),
            (rois_gap and unpaired, WARN, f"no frame found boxes with its stamp {rois_gap}"),
            (self.warning, WARN, self.warning),
            (output_gaps, WARN, "; ".join(output_gaps)),
            (True, OK, f"{rate_hz:.1f} frames/s"),
        )
        level, message = next((level, message) for applies, level, message in judged if applies)
        values = key_values(_values(counts, rate_hz, percentiles))
        return DiagnosticStatus(level=level, message=message, hardware_id=platform.node(), values=values)


def _bad(counts: Counter[str]) -> int:
    return sum(count for name, count in counts.items() if name.startswith("bad."))


def _values(
    counts: Counter[str], rate_hz: float, percentiles: Mapping[str, tuple[float, float, float]]
) -> dict[str, str]:
    names = ("frames_in", "rois_in", "processed", "dropped", "unpaired", "errors")
    values = {name: str(counts[name]) for name in names}
    values["bad"] = str(_bad(counts))
    values |= {name: str(count) for name, count in counts.items() if name.startswith("bad.")}
    values["rate_hz"] = f"{rate_hz:.1f}"
    for stage, figures in percentiles.items():
        values |= {
            f"{stage.replace(' ', '_')}_ms_{name}": f"{figure:.2f}"
            for name, figure in zip(("p50", "p95", "p99"), figures)
        }
    return values


def key_values(values: Mapping[str, str]) -> list[KeyValue]:
    """As a status carries them."""
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def input_gap(node: Node, subscription: Subscription, other_topic: str) -> str:
    """Why a topic may be silent: nobody publishes, incompatibly, another type, or on the other transport."""
    publishers = node.get_publishers_info_by_topic(subscription.topic_name)
    where = _where(subscription, publishers)
    if misfit := _misfit(subscription, publishers):
        return f"{where}; {misfit}"
    if any(p.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT for p in publishers):
        return f"{where}; large best-effort frames get lost without config/fastdds.xml, see docs/nodes.md"
    if not publishers and node.count_publishers(other_topic):
        return f"{where}, but there are on {other_topic}: set image_transport"
    return where


def rois_gap(node: Node, subscription: Subscription, elsewhere: Sequence[str]) -> str:
    """Why no boxes may come: nobody publishes them, incompatibly, or on other topics, which are named."""
    publishers = node.get_publishers_info_by_topic(subscription.topic_name)
    where = _where(subscription, publishers)
    if misfit := _misfit(subscription, publishers):
        return f"{where}; {misfit}"
    if elsewhere:
        return f"{where}; boxes are published on {', '.join(elsewhere)}: remap rois to the right one"
    return where


def output_gaps(node: Node, publishers: Sequence[Publisher]) -> list[str]:
    """The subscribers whose QoS keeps every message from them (RViz asks for reliable by default)."""
    gaps = []
    for publisher in publishers:
        for subscriber in node.get_subscriptions_info_by_topic(publisher.topic_name):
            if mismatch := _mismatch(publisher.qos_profile, subscriber.qos_profile):
                gaps.append(f"{subscriber.node_name} gets nothing from {publisher.topic_name}: {mismatch}")
    return gaps


def _where(subscription: Subscription, publishers: Sequence[TopicEndpointInfo]) -> str:
    return f"on {subscription.topic_name}; {len(publishers)} publishers"


def _misfit(subscription: Subscription, publishers: Sequence[TopicEndpointInfo]) -> str:
    """What keeps the messages of a publisher from a subscription; empty if nothing does."""
    kind = _type_name(subscription.msg_type)
    for publisher in publishers:
        if publisher.topic_type != kind:
            return f"{publisher.node_name} publishes {publisher.topic_type}, not {kind}"
        if mismatch := _mismatch(publisher.qos_profile, subscription.qos_profile):
            return f"QoS of {publisher.node_name} does not fit: {mismatch}"
    return ""


def _mismatch(offered: QoSProfile, asked: QoSProfile) -> str:
    # Not rclpy's qos_check_compatible: it takes the infinite deadlines that discovery shows for mismatches.
    if (
        asked.reliability == ReliabilityPolicy.RELIABLE
        and offered.reliability == ReliabilityPolicy.BEST_EFFORT
    ):
        return "reliable is asked for, best effort is offered"
    if (
        asked.durability == DurabilityPolicy.TRANSIENT_LOCAL
        and offered.durability == DurabilityPolicy.VOLATILE
    ):
        return "transient local is asked for, volatile is offered"
    return ""


def _type_name(message_type: type) -> str:
    package, kind, *_ = message_type.__module__.split(".")
    return f"{package}/{kind}/{message_type.__name__}"
