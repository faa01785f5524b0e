"""``check``: list what is wrong with a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check", help="list what is wrong with a data set", description="Exit code 1 if there are errors."
    )
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument("--background", type=Path, help='signs: pictures to cut "no known sign" from')
    parser.add_argument(
        "--val_fraction", type=float, help="signs, boxes: as --data.val_fraction of fit (default: as there)"
    )
    parser.add_argument("--seed", type=int, default=0, help="signs: as --data.seed of fit")
    parser.add_argument("--hold_out", nargs="*", default=(), help="signs: classes that fit shall leave out")
    parser.add_argument(
        "--exclude", type=Path, help="list of pictures to leave out, as --data.exclude of fit"
    )
    parser.add_argument("--all", action="store_true", help="print every path, not the first of each kind")
    parser.add_argument("--json", type=Path, help="write everything that is wrong into this file as well")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.check import run

    given = {} if options.val_fraction is None else {"val_fraction": options.val_fraction}
    run(
        options.data,
        everything=options.all,
        report=options.json,
        background=options.background,
        seed=options.seed,
        hold_out=options.hold_out,
        exclude=options.exclude,
        **given,
    )
