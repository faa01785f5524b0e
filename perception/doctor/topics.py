"""Topics: what is wrong with the cameras' topics. ``nodes/topics_seen.py`` listens to them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from perception.doctor.finding import Finding, Level

AREA = "topics"
SLOW_HZ = 5.0  # below it a sign is rarely in view long enough to be confirmed
OLD_S = 0.3  # a frame that is older when it arrives was held up: the car has moved on
AHEAD_S = 0.05  # a stamp in the future by more cannot come from a clock that is in step
FOREIGN_S = 60.0  # older by more: no frame is held up so long, so the stamps are of another clock
LARGE_BYTES = 500_000  # Fast DDS loses larger messages that are sent best effort, as it is set up
_Judged = tuple[Level, str, str]  # the level, what was found, the remedy
_START_S = 5.0  # a stamp so near to the seconds since the machine's start counts from there


@dataclass(frozen=True)
class Offer:
    """What one publisher offers.

    Attributes:
        node: its node.
        kind: the type of its messages.
        reliable: lost messages are sent again.
        latched: the last message also reaches later subscribers.
    """

    node: str
    kind: str
    reliable: bool
    latched: bool = False


@dataclass(frozen=True)
class Arrival:
    """One message, without its contents.

    Attributes:
        received_ns: when it came, ns since the epoch.
        stamp_ns: the stamp of its header.
        size_bytes: of the message.
        number: how many its publisher has sent with it; None where DDS does not say.
    """

    received_ns: int
    stamp_ns: int
    size_bytes: int
    number: int | None = None


@dataclass(frozen=True)
class Seen:
    """What was seen of one camera topic.

    Attributes:
        name: the topic.
        offers: its publishers.
        arrivals: the messages, in their order.
        seconds: how long it was listened to.
        size_hw: of a frame in pixels; None if none was read.
        encoding: of raw images, or the format of compressed ones.
        problem: why a frame could not be read as the nodes read it; ends with the remedy.
    """

    name: str
    offers: tuple[Offer, ...]
    arrivals: tuple[Arrival, ...] = ()
    seconds: float = 0.0
    size_hw: tuple[int, int] | None = None
    encoding: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What else is there.

    Attributes:
        others: name and type of the topics that are no camera's.
        has_clock: somebody publishes ``/clock``, as for bags and simulators.
        up_ns: ns since this machine started.
    """

    others: tuple[tuple[str, str], ...] = ()
    has_clock: bool = False
    up_ns: int = 0


def findings(seen: Sequence[Seen], around: Surroundings) -> list[Finding]:
    """The camera topics, one after the other."""
    if not seen:
        names = ", ".join(f"{name} ({kind})" for name, kind in around.others)
        text = f"no camera publishes images; there are: {names or 'no topics at all'}"
        remedy = "start the camera's driver; if it runs, compare ROS_DOMAIN_ID in both terminals"
        return [Finding(AREA, "cameras", "error", text, remedy)]
    return [finding for topic in seen for finding in _topic(topic, around)]


def _topic(seen: Seen, around: Surroundings) -> list[Finding]:
    first = _publishers(seen)
    if not seen.arrivals:
        return [*first, _silent(seen)]
    return [*first, _rate(seen), _frame(seen), _loss(seen), _stamps(seen, around)]


def _publishers(seen: Seen) -> list[Finding]:
    """Who publishes, and whether the nodes get it: they ask for reliable, and take best effort as well."""
    kinds = sorted({offer.kind for offer in seen.offers})
    nodes = ", ".join(sorted(offer.node for offer in seen.offers))
    if not seen.offers:
        text = "the publisher has gone while it was listened to"
        return [_finding(seen, "publishers", "error", text, remedy="look at the log of the camera's driver")]
    if len(kinds) > 1:
        text = f"{nodes} publish different types: {', '.join(kinds)}"
        return [
            _finding(seen, "publishers", "error", text, remedy="remap all but one of them to other names")
        ]
    if len(seen.offers) > 1:
        text = f"{len(seen.offers)} publishers: {nodes}; their frames mix"
        return [_finding(seen, "publishers", "warning", text, remedy="stop all but one, or remap them")]
    (offer,) = seen.offers
    reliability = "reliable" if offer.reliable else "best effort"
    durability = "transient local" if offer.latched else "volatile"
    text = f"{nodes} offers {reliability}, {durability}; the nodes ask for {reliability}, volatile: it fits"
    return [_finding(seen, "QoS", "ok", text)]


def _silent(seen: Seen) -> Finding:
    text = f"no message in {seen.seconds:.1f} s"
    remedy = "look at the driver's log; if it sends large frames best effort, give it config/fastdds.xml "
    return _finding(seen, "rate", "error", text, remedy=remedy + "(docs/nodes.md#large-frames)")


def _rate(seen: Seen) -> Finding:
    times = [arrival.received_ns for arrival in seen.arrivals]
    if len(times) < 2:
        text = f"one message in {seen.seconds:.1f} s"
        return _finding(seen, "rate", "warning", text, remedy="set the camera's rate to 10 Hz or more")
    rate_hz = (len(times) - 1) / max((times[-1] - times[0]) / 1e9, 1e-9)
    gap_ms = max(later - earlier for earlier, later in pairwise(times)) / 1e6
    values = {"rate_hz": round(rate_hz, 2), "longest_gap_ms": round(gap_ms, 1)}
    text = f"{rate_hz:.1f} Hz, longest gap {gap_ms:.0f} ms"
    if rate_hz < SLOW_HZ:
        remedy = "set the camera's rate to 10 Hz or more; in the dark, limit its exposure time"
        return _finding(seen, "rate", "warning", text, remedy=remedy, values=values)
    return _finding(seen, "rate", "ok", text, values=values)


def _frame(seen: Seen) -> Finding:
    size_bytes = round(statistics.median(arrival.size_bytes for arrival in seen.arrivals))
    values: dict[str, int | float | str] = {"encoding": seen.encoding, "size_bytes": size_bytes}
    text = f"{seen.encoding or 'no format'}, {size_bytes / 1e3:.0f} kB"
    if seen.problem:
        problem, _, remedy = seen.problem.partition("; ")
        remedy = remedy or "set the driver to bgr8, or send JPEG"
        return _finding(
            seen,
            "frame",
            "error",
            f"{text}: the nodes cannot read it: {problem}",
            remedy=remedy,
            values=values,
        )
    if seen.size_hw is None:
        text = f"{text}: none was read"
        return _finding(
            seen, "frame", "unknown", text, remedy="run the doctor for longer: --seconds 10", values=values
        )
    height, width = seen.size_hw
    return _finding(
        seen, "frame", "ok", f"{width}×{height} {text}", values={**values, "width": width, "height": height}
    )


def _loss(seen: Seen) -> Finding:
    """Frames that were sent and never came, by the numbers that one publisher gives its messages."""
    numbers = [arrival.number for arrival in seen.arrivals if arrival.number is not None]
    is_large = max(arrival.size_bytes for arrival in seen.arrivals) > LARGE_BYTES
    is_best_effort = not all(offer.reliable for offer in seen.offers)
    remedy = "give the driver config/fastdds.xml, let it publish reliably, or send JPEG"
    remedy += " (docs/nodes.md#large-frames)"
    if len(seen.offers) > 1 or len(numbers) < len(seen.arrivals) or len(numbers) < 2:
        text = "cannot be counted: several publishers, too few messages, or DDS does not number them"
        return _finding(seen, "lost", "unknown", text, remedy="run it with one camera, and for longer")
    sent = max(numbers) - min(numbers) + 1
    lost = max(sent - len(numbers), 0)
    values = {"lost": lost, "sent": sent}
    text = f"{lost} of {sent} frames"
    if lost and is_large and is_best_effort:
        text += ", which are large and sent best effort"
        return _finding(seen, "lost", "error", text, remedy=remedy, values=values)
    if lost:
        return _finding(
            seen, "lost", "warning", text, remedy="close other programs; the machine is busy", values=values
        )
    return _finding(seen, "lost", "ok", text, values=values)


def _stamps(seen: Seen, around: Surroundings) -> Finding:
    """The stamps, by which the tracker counts time and TF looks up where the car was."""
    stamps = [arrival.stamp_ns for arrival in seen.arrivals]
    age_s = statistics.median((arrival.received_ns - arrival.stamp_ns) / 1e9 for arrival in seen.arrivals)
    values = {"age_s": round(age_s, 4)} if any(stamps) else {}
    level, text, remedy = _order(stamps) or _clock(stamps[-1], age_s, around) or _age(age_s)
    return _finding(seen, "stamps", level, text, remedy=remedy, values=values)


def _order(stamps: Sequence[int]) -> _Judged | None:
    """What is wrong with stamps, whatever the clock."""
    use_now = "let the driver set header.stamp to the time of the exposure"
    if not any(stamps):
        text = "0 in every frame; the nodes count by the time of arrival, and TF finds nothing"
        return "warning", text, use_now
    if len(stamps) > 1 and len(set(stamps)) == 1:
        return "error", "the same in every frame, so signs cannot be followed", use_now
    back = sum(later < earlier for earlier, later in pairwise(stamps))
    if back:
        text = f"earlier than the one before {back} times; by over half a second, the nodes start anew"
        return "warning", text, "stop the second driver or the bag that publishes here, too"
    return None


def _clock(stamp_ns: int, age_s: float, around: Surroundings) -> _Judged | None:
    """Whether stamps are of another clock than this machine's."""
    if abs(stamp_ns - around.up_ns) < _START_S * 1e9:
        text = "they count from this machine's start, not from 1970, so nothing else fits to them"
        return "error", text, "let the driver stamp with ROS time, not with the steady clock"
    if abs(age_s) <= FOREIGN_S:
        return None
    if around.has_clock:
        text = f"of a simulated clock, {_span(age_s)}; /clock is published"
        return "warning", text, "start the nodes with use_sim_time:=true, or stop the bag"
    text = f"of another clock, {_span(age_s)}"
    return "error", text, "set the clocks of car and camera by NTP (chrony), or stop the bag that plays"


def _age(age_s: float) -> _Judged:
    """Whether frames come in time, by stamps of a clock that is about in step."""
    if age_s < -AHEAD_S:
        text = f"{-age_s * 1e3:.0f} ms in the future, so TF and Nav2 refuse them"
        return "error", text, "bring the clocks in step by chrony, or let the driver stamp on this machine"
    if age_s > OLD_S:
        text = f"{age_s * 1e3:.0f} ms old when they arrive"
        return (
            "warning",
            text,
            "a smaller frame or JPEG, a wire in place of Wi-Fi, a driver that drops frames",
        )
    return "ok", f"{age_s * 1e3:.1f} ms old when they arrive", ""


def _span(age_s: float) -> str:
    """So long ago, or ahead, in the largest unit that fits."""
    size, side = abs(age_s), "old" if age_s > 0 else "in the future"
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if size >= seconds:
            return f"{size / seconds:.1f} {unit} {side}"
    return f"{size:.1f} s {side}"


def _finding(
    seen: Seen,
    what: str,
    level: Level,
    text: str,
    *,
    remedy: str = "",
    values: Mapping[str, int | float | str] | None = None,
) -> Finding:
    return Finding(AREA, f"{seen.name} {what}", level, text, remedy, values or {})
