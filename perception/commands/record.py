"""Record: its options and what it prints. The recording is in perception.nodes, because it needs ROS."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from perception.commands import ros
from perception.commands.options import positive
from perception.recordings.tape import Ended, Recorded, Tally

_REASONS: Mapping[Ended, str] = {
    "signal": "it was stopped",
    "time": "the time of --seconds is over",
    "size": "the size of --megabytes is reached",
    "disk": "the disk is nearly full",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, and the command itself."""
    parser.add_argument("out", type=Path, metavar="FILE.mcap", help="the file to make")
    parser.add_argument(
        "--topics", nargs="+", metavar="TOPIC", help="these only (default: all images and camera_info)"
    )
    parser.add_argument("--seconds", type=positive, help="end so long after the first message")
    parser.add_argument("--megabytes", type=positive, metavar="MB", help="end when the file is so large")
    parser.add_argument(
        "--wait",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="give up without a topic for so long (default: 10)",
    )
    parser.set_defaults(command=_record)


def _record(options: argparse.Namespace) -> None:
    with ros.needed():
        from perception.nodes.record import record
    recorded = record(
        options.out,
        names=options.topics,
        seconds=options.seconds,
        size_bytes=round(options.megabytes * 1e6) if options.megabytes else None,
        wait_s=options.wait,
        console=Console(stderr=True),
    )
    show(recorded, Console())


def show(recorded: Recorded, console: Console) -> None:
    """Print what was recorded, what is missing, and where the file is."""
    table = Table()
    table.add_column("topic", overflow="fold")
    for name in ("messages", "Hz", "MB", "dropped", "lost", "unreadable"):
        table.add_column(name, justify="right")
    for topic, lost in sorted(recorded.lost.items()):
        tally = recorded.tallies.get(topic, Tally(""))
        table.add_row(
            topic,
            str(tally.count),
            f"{tally.rate_hz:.1f}",
            f"{tally.size_bytes / 1e6:.1f}",
            str(tally.dropped),
            "?" if lost is None else str(lost),
            str(tally.unreadable),
        )
    console.print(table)
    size = f"{recorded.size_bytes / 1e6:.1f} MB, ended because {_REASONS[recorded.ended]}"
    console.print(f"{recorded.path}: {size}", highlight=False, markup=False, soft_wrap=True)
