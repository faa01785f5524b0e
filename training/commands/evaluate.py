"""``evaluate``: measure a model file on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser("evaluate", help="measure a model file on a data set, through the runtime")
    parser.add_argument("model", type=Path, help="an exported .onnx")
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("evaluation"),
        help="folder for report.html and metrics.json (default: evaluation)",
    )
    parser.add_argument(
        "--split", choices=("val", "all"), default="val", help="val: what training kept aside (default: val)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or tensorrt (default: auto)")
    parser.add_argument(
        "--background", type=Path, help="signs: street pictures, to measure how unknown things are refused"
    )
    parser.add_argument(
        "--reader", type=Path, help="sign_detection: a model file of signs, to measure reading as well"
    )
    parser.add_argument(
        "--streaming",
        action="store_true",
        help="sign_detection: measure following on generated drives as well",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.evaluate import evaluate

    evaluate(
        options.model,
        options.data,
        out=options.out,
        device=options.device,
        split=options.split,
        background=options.background,
        reader=options.reader,
        streaming=options.streaming,
    )
