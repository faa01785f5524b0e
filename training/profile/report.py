"""A profile on the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perception.report.page import Report
from training.profile.measured import Part, Profile

HEADER = ("part", "count", "parameters", "MMAC", "MB", "ms", "%")
LEGEND = "MMAC: million multiply-accumulates. MB: what the part writes. %: of the whole frame's time."


def rows(profile: Profile) -> Iterator[list[str | float]]:
    """The parts, and what is left of the whole time."""
    for part in profile.parts:
        yield _row(part, profile)
    rest_ms = profile.total_ms - sum(part.time_ms for part in profile.parts)
    yield ["between them", "", "", "", "", f"{rest_ms:.2f}", f"{100 * rest_ms / profile.total_ms:.0f}"]


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


def compared(profiles: Sequence[Profile]) -> tuple[list[str], list[list[str | float | None]]]:
    """Milliseconds of each part in all profiles: header and rows."""
    header = ["part", *(f"{profile.model}, ms" for profile in profiles)]
    names = dict.fromkeys(part.name for profile in profiles for part in profile.parts)
    times = [{part.name: part.time_ms for part in profile.parts} for profile in profiles]
    lines: list[list[str | float | None]] = [[name, *(own.get(name) for own in times)] for name in names]
    return header, [*lines, ["whole frame", *(profile.total_ms for profile in profiles)]]


def page(profiles: Sequence[Profile]) -> Report:
    """One section of bars and a table for each profile, and all beside each other if there are several."""
    report = Report("What a frame costs", "; ".join(title(profile) for profile in profiles))
    if len(profiles) > 1:
        header, lines = compared(profiles)
        report.table("Side by side", header, lines)
    for profile in profiles:
        report.bars(
            f"{profile.model}: time by part", {part.name: part.time_ms for part in profile.parts}, unit=" ms"
        )
        report.table(profile.model, HEADER, rows(profile))
    report.text("Columns", LEGEND)
    return report
