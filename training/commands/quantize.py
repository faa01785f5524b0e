"""``quantize``: write the INT8 version of a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "quantize",
        help="write the INT8 version of a model file, if it sees the same",
        description="The ranges come from the training part of the data set.",
    )
    parser.add_argument("model", type=Path, help="an exported .onnx")
    parser.add_argument("data", type=Path, help="root of the data set that it was trained on")
    parser.add_argument("out", type=Path, help="the .onnx to write")
    parser.add_argument(
        "--method",
        choices=("minmax", "percentile"),
        default="minmax",
        help="how ranges are calibrated; percentile leaves outliers out, and needs gigabytes for masks",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.quantize import quantize

    quantize(options.model, options.data, options.out, method=options.method)
