"""``profile``: say where a model's time and memory go."""

from __future__ import annotations

import argparse
from pathlib import Path

from perception.commands.options import count
from training.commands import SubParsers
from training.datasets.images import DataError


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "profile",
        help="where a model's time and memory go, part by part",
        description="Operators of exported files, blocks of checkpoints; several models side by side.",
    )
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help=".onnx, or a .ckpt of fit")
    parser.add_argument(
        "--compare", nargs="+", type=Path, default=[], metavar="MODEL", help="further ones, side by side"
    )
    parser.add_argument("--out", type=Path, help="folder for profile.json and report.html")
    parser.add_argument("--runs", type=count, default=20, help="that are timed (default: 20)")
    parser.add_argument("--threads", type=count, help="that compute (default: one for each core)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.profile import profile

    models = [*options.models, *options.compare]
    if not models:
        raise DataError("no model is named; give an .onnx or a .ckpt, or several to compare them")
    profile(models, out=options.out, runs=options.runs, threads=options.threads)
