"""Template: expectations written from a drive that was good, with margins, and a reason beside each line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from math import ceil, floor, log10

from perception.observed import Observed, Passage

_LEAST_SHARE = 0.005  # of the frame; smaller classes come and go
_SHARE_MARGIN = 0.25  # of the share itself, and at least
_SHARE_LEAST_MARGIN = 0.02
_WINDOW_S = 1.0  # before and after what was seen
_MOST_SEEN = 50
_FIRM_FRAMES = 2  # things that were confirmed in one frame may be missed another time
_SLOWER = 2.0
_PAUSE_MS = 20.0  # what another process may take from a frame, however small the model


@dataclass(frozen=True)
class GoodDrive:
    """What was measured of a drive that was good.

    Attributes:
        name: of the input.
        good: good frames.
        bad: bad ones.
        dropped: missing ones.
        total_ms: 50th, 95th and 99th percentile of all stages together, in milliseconds.
        tasks: what each model said.
    """

    name: str
    good: int
    bad: int
    dropped: int
    total_ms: tuple[float, ...]
    tasks: Mapping[str, Observed]


def text(drive: GoodDrive) -> str:
    """The YAML, each expectation with what was measured."""
    return "\n".join(_lines(drive)) + "\n"


def _lines(drive: GoodDrive) -> Iterator[str]:
    name = _quoted(drive.name)
    yield f"# What is expected of {name}, written from a drive on {datetime.now(timezone.utc):%Y-%m-%d}."
    yield "# Each line says what was measured; the numbers have a margin. Change them, and delete what does"
    yield "# not matter. Times are in seconds since the first frame. Shares are from 0 to 1."
    yield "frames:"
    yield f"  good: {{min: {drive.good}}}  # frames that could be used"
    yield f"  bad: {{max: {drive.bad}}}  # frames that could not"
    yield f"  dropped: {{max: {drive.dropped}}}  # frames that are missing, by the gaps between their stamps"
    yield "latency_ms:"
    _, p95, _ = drive.total_ms
    most = _rounded_up(max(_SLOWER * p95, p95 + _PAUSE_MS))
    yield f"  total: {{p95: {most:g}}}  # all of a frame; was {p95:.1f}; more, because machines differ"
    for task, observed in drive.tasks.items():
        lines = [*_seen(observed), *_shares(observed), *_steady(observed)]
        if lines:
            yield f"{task}:"
            yield from lines


def _seen(observed: Observed) -> Iterator[str]:
    firm = [passage for passage in observed.passages if passage.frames >= _FIRM_FRAMES]
    if not firm:
        return
    yield "  seen:  # what has to be confirmed for a frame at least between two times; max: 0 is for never"
    for passage in firm[:_MOST_SEEN]:
        yield f"    - {{label: {_quoted(passage.label)}, between: {_window(passage)}}}  # {_when(passage)}"
    if len(firm) > _MOST_SEEN:
        yield f"    # and {len(firm) - _MOST_SEEN} more, which are left out"


def _shares(observed: Observed) -> Iterator[str]:
    large = {label: share for label, share in observed.shares.items() if share >= _LEAST_SHARE}
    if not large:
        return
    yield "  shares:  # of the frame, mean of the drive; between: [3, 5] is for a part of it"
    for label, share in large.items():
        margin = max(_SHARE_LEAST_MARGIN, _SHARE_MARGIN * share)
        least, most = max(0.0, share - margin), min(1.0, share + margin)
        least, most = floor(1000 * least) / 1000, ceil(1000 * most) / 1000
        yield f"    - {{label: {_quoted(label)}, min: {least:g}, max: {most:g}}}  # was {share:.3f}"


def _steady(observed: Observed) -> Iterator[str]:
    flicker = observed.flicker
    if flicker.pixels is not None:
        most = min(1.0, ceil(1000 * (1.5 * flicker.pixels + 0.005)) / 1000)
        measured = f"was {flicker.pixels:.4f}"
        yield f"  flicker: {{max: {most:g}}}  # share of pixels that change from frame to frame; {measured}"
    if flicker.label_changes is not None:
        most = 2 * flicker.label_changes + 2
        measured = f"there were {flicker.label_changes}"
        yield f"  label_changes: {{max: {most}}}  # of things that are followed; {measured}"


def _window(passage: Passage) -> str:
    begin = max(0.0, floor(10 * (passage.from_s - _WINDOW_S)) / 10)
    end = ceil(10 * (passage.to_s + _WINDOW_S)) / 10
    return f"[{begin:g}, {end:g}]"


def _when(passage: Passage) -> str:
    return f"from {passage.from_s:.1f} to {passage.to_s:.1f} s"


def _rounded_up(value: float) -> float:
    """Up to two digits."""
    step = 10.0 ** (floor(log10(value)) - 1) if value > 0 else 1.0
    return round(ceil(value / step) * step, 6)


def _quoted(label: str) -> str:
    """As JSON, which YAML reads as well, whatever is in it."""
    return json.dumps(label, ensure_ascii=False)
