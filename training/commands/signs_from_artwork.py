"""``signs-from-artwork``: make a data set of signs that are printed."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "signs-from-artwork",
        help="make a data set of signs that you print, from their artwork",
        description="Renders each sign as printed, before rooms and floors. No photograph is needed.",
    )
    parser.add_argument("artwork", type=Path, help="folder with one picture of each sign or PDFs, or one PDF")
    parser.add_argument("out", type=Path, help="new folder for the data set")
    parser.add_argument(
        "--names",
        nargs="+",
        default=(),
        metavar="NAME",
        help="of the signs, in the order of files and pages, or a text file of them; - leaves one out",
    )
    parser.add_argument(
        "--backgrounds", type=Path, help="pictures of your track without these signs (default: drawn rooms)"
    )
    parser.add_argument("--crops", type=int, default=400, help="of each sign (default: 400)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that chance decides (default: 0)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.signs import from_artwork

    made = from_artwork.make(
        options.artwork,
        options.out,
        names=options.names,
        backgrounds=options.backgrounds,
        crops=options.crops,
        seed=options.seed,
    )
    for path in made.several:
        print(f"warning: {path} seems to show several signs; a class is one sign, so cut them apart")
    print(f"{made.root}: {made.crops} crops of {', '.join(made.labels)}; {made.background} of background")
    print(f"learn from them: {made.fit}")
