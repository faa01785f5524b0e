"""``corrupt``: measure a model file on corrupted pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import RESUME, SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "corrupt",
        help="how much is left when light, weather, camera and boxes are bad",
        description="Measures a model file through the runtime, under corruptions of five severities.",
    )
    parser.add_argument("model", type=Path, help="an exported .onnx")
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("corruptions"),
        help="folder for report.html, corruptions.json and corruptions.jpg (default: corruptions)",
    )
    parser.add_argument(
        "--split", choices=("val", "all"), default="val", help="val: what training kept aside (default: val)"
    )
    parser.add_argument(
        "--limit",
        type=int,
        help="of the pictures, spread over all of them (default: all; each is seen 70 times)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or tensorrt (default: auto)")
    parser.add_argument("--resume", action="store_true", help=RESUME)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.corrupt import corrupt

    corrupt(
        options.model,
        options.data,
        out=options.out,
        device=options.device,
        split=options.split,
        limit=options.limit,
        resume=options.resume,
    )
