"""``profile``: say where a model's time and memory go."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "profile",
        help="where a model's time and memory go, part by part",
        description="Operators of exported files, blocks of checkpoints; several models side by side.",
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL", help=".onnx, or a .ckpt of fit")
    parser.add_argument("--out", type=Path, help="folder for profile.json and report.html")
    parser.add_argument("--runs", type=int, default=20, help="that are timed (default: 20)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.profile import profile

    profile(options.models, out=options.out, runs=options.runs)
