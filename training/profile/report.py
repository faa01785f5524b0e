"""A profile on the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perception.report.page import Report
from training.profile.measured import BETWEEN, CONVOLUTIONS, Part, Profile

HEADER = ("part", "count", "parameters", "MMAC", "MB", "ms", "%")
LEGEND = (
    "MMAC: million multiply-accumulates. MB: what the part writes. ms: the least of all runs. "
    "%: of the whole frame's time."
)


def rows(profile: Profile) -> Iterator[list[str | float]]:
    """The parts, and what is left of the whole time."""
    for part in profile.parts:
        yield _row(part, profile)
    between_ms = profile.between_ms
    yield [BETWEEN, "", "", "", "", f"{between_ms:.2f}", f"{100 * between_ms / profile.total_ms:.0f}"]


def _row(part: Part, profile: Profile) -> list[str | float]:
    return [
        part.name,
        str(part.count),
        f"{part.parameters:,}" if part.parameters else "",
        f"{part.macs / 1e6:.1f}" if part.macs else "",
        f"{part.activation_bytes / 1e6:.2f}",
        f"{part.time_ms:.2f}",
        f"{100 * part.time_ms / profile.total_ms:.0f}",
    ]


def title(profile: Profile) -> str:
    """What was measured, in one line."""
    height, width = profile.input_hw
    threads = f"{profile.threads} threads" if profile.threads > 1 else "one thread"
    return f"{profile.model}: {profile.total_ms:.1f} ms for a frame of {width}×{height} on {threads}"


def by_kind(profiles: Sequence[Profile]) -> tuple[list[str], list[list[str | float | None]]]:
    """Milliseconds of each kind of work in all profiles: header and rows."""
    header = ["kind of work", *(f"{profile.model}, ms" for profile in profiles)]
    kinds = [profile.kinds_ms() for profile in profiles]
    names = dict.fromkeys(name for own in kinds for name in own)
    lines: list[list[str | float | None]] = [[name, *(own.get(name) for own in kinds)] for name in names]
    return header, [*lines, ["whole frame", *(profile.total_ms for profile in profiles)]]


def outside(profile: Profile) -> str:
    """How much of the time is no convolution, in one line; empty for blocks, which may hold some."""
    own = profile.kinds_ms()
    if CONVOLUTIONS not in own:
        return ""
    outside_ms = profile.total_ms - own[CONVOLUTIONS]
    return f"{profile.model}: {outside_ms:.1f} of {profile.total_ms:.1f} ms are outside convolutions"


def page(profiles: Sequence[Profile]) -> Report:
    """All models beside each other; then bars by part and by resolution, and a table, for each."""
    report = Report("What a frame costs", "; ".join(title(profile) for profile in profiles))
    if kinds := {one.model: one.kinds_ms() for one in profiles if CONVOLUTIONS in one.kinds_ms()}:
        report.stacked("Time by kind of work", kinds, unit="ms")
        report.text("In short", "\n".join(filter(None, map(outside, profiles))))
    if len(profiles) > 1:
        report.table("Side by side", *by_kind(profiles))
    for profile in profiles:
        if scales := profile.scales_ms():
            report.stacked(f"{profile.model}: time by resolution of what is written", scales, unit="ms")
        parts = {part.name: part.time_ms for part in profile.parts}
        report.bars(f"{profile.model}: time by part", parts, unit="ms")
        report.table(profile.model, HEADER, rows(profile))
    report.text("Columns", LEGEND)
    return report
