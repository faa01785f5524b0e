"""Summary: what a run or a recording showed, collected frame by frame, written as one report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from perception.errors import FrameError
from perception.latency import Latency
from perception.model import HasShares, NamesThings, Result, Sighting
from perception.observed import Passages
from perception.report.page import Report, shown

PICTURES = 12
_LISTED_BAD = 50
_TIMELINE_ROWS = 20
_CURVES = 5
_LISTED_FOLLOWED = 100
_POINTS = 400  # of a curve, which is not much wider in pixels


def overlay(image: NDArray[np.uint8], results: Iterable[Result]) -> NDArray[np.uint8]:
    """The picture with all results drawn in: first areas, then things; a new (H, W, 3) uint8 BGR."""
    picture: NDArray[np.uint8] = image.copy()
    for result in sorted(results, key=lambda result: isinstance(result, NamesThings)):
        picture = result.overlay(picture)
    return picture


class Summary:
    """Counts, shares, times and a few pictures of a stream of frames.

    Args:
        expected: about how many frames will come; the pictures are spread over them.
        period_s: time from one frame to the next, for the timeline; may change between frames.

    Attributes:
        end_s: when the last frame so far ends.
    """

    def __init__(self, *, expected: int, period_s: float) -> None:
        self.latency = Latency(window=max(expected, 1))
        self.good = 0
        self.bad_reasons: Counter[str] = Counter()
        self.period_s = period_s
        self.end_s = 0.0
        self._expected = expected
        self._pictures: list[tuple[str, NDArray[np.uint8]]] = []
        self._bad: list[tuple[str, str, str, str]] = []
        self._seen_s: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._unknown = 0
        self._passages = Passages()
        self._shares: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    @property
    def wants_picture(self) -> bool:
        """Whether the next good frame is one of those that the report shows."""
        shown = len(self._pictures)
        return shown < PICTURES and shown * self._expected <= self.good * PICTURES

    def add(self, time_s: float, results: Iterable[Result]) -> None:
        """Count a frame's results."""
        self.good += 1
        self.end_s = max(self.end_s, time_s + self.period_s)
        for result in results:
            for thing in _things(result):
                if thing:
                    self._seen_s[thing.label].append((time_s, self.period_s))
                else:
                    self._unknown += 1
                self._passages.add(time_s, thing)
            if isinstance(result, HasShares):
                for label, share in result.fractions().items():
                    self._shares[label].append((time_s, share))

    def add_picture(
        self, time_s: float, name: str, picture: NDArray[np.uint8], results: Iterable[Result]
    ) -> None:
        """Add a picture to the report."""
        seen = ", ".join(thing.caption for result in results for thing in _things(result) if thing)
        self._pictures.append((" · ".join(filter(None, (f"{time_s:.1f} s", name, seen))), shown(picture)))

    def add_bad(self, time_s: float, name: str, error: FrameError) -> None:
        """Count a frame that could not be used."""
        self.bad_reasons[error.reason] += 1
        self.end_s = max(self.end_s, time_s + self.period_s)
        if len(self._bad) < _LISTED_BAD:
            self._bad.append((f"{time_s:.2f}", name, error.reason, str(error)))

    def write(self, report: Report) -> None:
        """Add the sections to a report, pictures first."""
        if self._pictures:
            report.pictures("Frames", self._pictures)
        self._write_sightings(report)
        self._write_shares(report)
        stages = self.latency.percentiles()
        if stages:
            report.table("Latency (ms)", ("stage", "p50", "p95", "p99"), [(k, *v) for k, v in stages.items()])
        if self.bad_reasons:
            report.bars("Bad frames", dict(self.bad_reasons.most_common()), unit="frames")
            title = "Bad frames in detail"
            if len(self._bad) < self.bad_reasons.total():
                title += f" (the first {len(self._bad)})"
            report.table(title, ("seconds", "frame", "reason", "what was wrong"), self._bad)

    def _write_sightings(self, report: Report) -> None:
        sightings = Counter({label: len(times) for label, times in self._seen_s.items()})
        passages = self._passages.all()
        if sightings or self._unknown:
            known = sum(sightings.values())
            text = f"{known} known signs of {len(sightings)} classes; {self._unknown} unknown."
            if passages:
                count = len({passage.id for passage in passages})
                text += f" {count} {'sign was' if count == 1 else 'signs were'} followed and confirmed."
            report.text("Signs", text)
        if sightings:
            top = dict(sightings.most_common(_TIMELINE_ROWS))
            rows = sorted(((label, self._spans(label)) for label in top), key=lambda row: row[1][0])
            of = f" (the {len(top)} most frequent classes)" if len(top) < len(sightings) else ""
            report.timeline(f"Signs over time{of}", dict(rows), end=self.end_s)
            report.bars(f"Sign sightings{of}", top, unit="frames × boxes")
        if passages:
            listed = passages[:_LISTED_FOLLOWED]
            title = "Signs that were followed"
            if len(listed) < len(passages):
                title += f" (the first {len(listed)})"
            header = ("id", "sign", "from s", "to s", "frames", "best score")
            report.table(title, header, [astuple(passage) for passage in listed])

    def _write_shares(self, report: Report) -> None:
        if not self._shares:
            return
        means = {label: float(np.mean([share for _, share in line])) for label, line in self._shares.items()}
        largest = dict(sorted(means.items(), key=lambda item: -item[1]))
        report.bars(
            "Shares of the frame", {k: round(100 * v, 2) for k, v in largest.items()}, unit="mean, in %"
        )
        if self.good > 1:
            step = -(-self.good // _POINTS)
            lines = {
                label: [(time_s, 100 * share) for time_s, share in sorted(self._shares[label])[::step]]
                for label in list(largest)[:_CURVES]
            }
            report.curve("Shares over time", lines, x_label="seconds", y_label="% of the frame")

    def _spans(self, label: str) -> list[tuple[float, float]]:
        """The spans (from, to) in which a label was seen; a frame without it ends a span."""
        spans: list[tuple[float, float]] = []
        for time_s, period_s in sorted(self._seen_s[label]):
            if spans and time_s <= spans[-1][1] + period_s / 2:
                spans[-1] = (spans[-1][0], time_s + period_s)
            else:
                spans.append((time_s, time_s + period_s))
        return spans


def _things(result: Result) -> tuple[Sighting, ...]:
    return tuple(result.sightings()) if isinstance(result, NamesThings) else ()
