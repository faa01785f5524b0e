"""Options: how a command is asked to work on many drives; the same for all commands."""

from __future__ import annotations

import argparse

from perception.commands.options import count
from perception.errors import InputError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "many drives", "each drive by itself, into a folder of its name in --out; needs the extra fleet"
    )
    group.add_argument(
        "--ray",
        action="store_true",
        help="inputs are many drives: paths, patterns in quotes, URLs (s3://, gs://, https://)",
    )
    group.add_argument("--address", help="of a cluster of Ray, as HOST:6379 (default: this machine alone)")
    group.add_argument(
        "--workers",
        type=count,
        metavar="N",
        help="drives at a time (default: one for each GPU, or each core)",
    )


def check(options: argparse.Namespace) -> bool:
    """Whether the command works on many drives.

    Raises:
        InputError: an option is for many drives, and they are not asked for.
    """
    for name in ("address", "workers"):
        if getattr(options, name) is not None and not options.ray:
            raise InputError(f"--{name} is for many drives; give --ray as well, or leave it out")
    return bool(options.ray)
