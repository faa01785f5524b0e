"""``extract``: pick the frames of drives that are worth labelling."""

from __future__ import annotations

import argparse
from pathlib import Path

from perception.commands import fleet_options
from perception.fleet.inputs import local, place
from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "extract",
        help="pick the frames of drives that are worth labelling",
        description="The most different and most uncertain sharp frames come first.",
    )
    parser.add_argument(
        "inputs", nargs="+", type=place, metavar="INPUT", help="bag, video, tub or folder of pictures"
    )
    parser.add_argument("--out", type=Path, required=True, help="new folder for pictures and labels")
    parser.add_argument("--count", type=int, default=40, help="of the frames (default: 40)")
    parser.add_argument(
        "--model",
        dest="models",
        metavar="MODEL",
        type=Path,
        action="append",
        default=[],
        help="whose doubts count, and whose answers are written beside the frames; may be given twice",
    )
    parser.add_argument("--detector", type=Path, help="what finds signs (default: the shipped one)")
    parser.add_argument("--topic", help="of the images, in bags that have several")
    fleet_options.add_options(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    if fleet_options.check(options):
        from training.extract.fleet import extract_all

        if code := extract_all(options):
            raise SystemExit(code)
        return
    from training.extract import extract

    done = extract(
        local(options.inputs),
        options.out,
        count=options.count,
        models=options.models,
        detector=options.detector,
        topic=options.topic,
    )
    scan = done.scan
    print(f"{done.folder}: {len(done.picks)} of {scan.frames} frames; report.html shows why these")
    if scan.bad:
        print(f"{scan.bad} frames cannot be decoded and were left out")
    if len(done.picks) < options.count:
        print(f"the rest look like these, so there are fewer than {options.count}")
