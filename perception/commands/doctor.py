"""Doctor: its options and what it prints. What it finds out is in perception.doctor."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from perception.commands import ros
from perception.commands.options import positive
from perception.doctor import examine, topics
from perception.doctor.finding import LEVELS, Finding, Level
from perception.doctor.host import Host
from perception.errors import PerceptionError
from perception.machine import machine

WRONG = 3  # exit code: something is wrong that a drive would fail on

_STYLES: Mapping[Level, str] = {"ok": "green", "unknown": "magenta", "warning": "yellow", "error": "bold red"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and the command itself."""
    parser.add_argument(
        "--seconds",
        type=positive,
        default=3.0,
        help="listen so long to the cameras, and wait so long for one (default: 3)",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Find out what is wrong, and print it.

    Returns:
        The exit code: 0, or WRONG if there is an error.
    """
    with Console(stderr=True).status("looking at this machine"):
        found = [*examine(Host()), *_topics(options.seconds)]
    counts = Counter(finding.level for finding in found)
    if options.json:
        report = {
            "machine": dict(machine()),
            "counts": {level: counts[level] for level in LEVELS},
            "findings": [finding.to_json() for finding in found],
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        show(found, Console())
    return WRONG if counts["error"] else 0


def show(found: Sequence[Finding], console: Console) -> None:
    """Print the findings by area, each remedy below what it is for, and how many there are of each level."""
    table = Table()
    for name in ("", "what", "found"):
        table.add_column(name, overflow="fold", no_wrap=not name)
    area = ""
    for finding in found:
        if area and finding.area != area:
            table.add_section()
        area = finding.area
        text = Text(finding.found)
        if finding.remedy:
            text.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(Text(finding.level, style=_STYLES[finding.level]), Text(finding.name), text)
    console.print(table)
    counts = Counter(finding.level for finding in found)
    console.print(", ".join(f"{counts[level]} {level}" for level in reversed(LEVELS)), highlight=False)


def _topics(seconds: float) -> list[Finding]:
    """The cameras' topics, or why they could not be looked at."""
    try:
        with ros.needed():
            from perception.nodes.topics_seen import look
        return topics.findings(*look(seconds))
    except PerceptionError as error:
        problem, _, remedy = str(error).partition("; ")
        return [Finding(topics.AREA, "cameras", "unknown", problem, remedy or "source ROS 2 first")]
