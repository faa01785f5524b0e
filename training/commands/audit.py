"""``audit``: say which labels of a data set are likely wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import RESUME, SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "audit",
        help="which labels are likely wrong, and which pictures are there twice or leak into validation",
        description="Shows the worst, and writes a list of pictures that fit --data.exclude leaves out.",
    )
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument(
        "--model",
        type=Path,
        help="an exported .onnx that the labels are compared with; best one that has not learnt from them "
        "(default: the shipped one of the task)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("audit"),
        help="folder for report.html, audit.json and exclude.txt (default: audit)",
    )
    parser.add_argument("--limit", type=int, help="of the pictures, spread over all of them (default: all)")
    parser.add_argument(
        "--folds",
        type=int,
        help="signs: judge by so many classifiers, each of which has not learnt from a part of the signs; 0 "
        "takes the model's own answers (default: 0 if the model has not learnt from these labels, else 5)",
    )
    parser.add_argument(
        "--reader", type=Path, help="boxes: a model file of signs, to judge the classes as well"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or tensorrt (default: auto)")
    parser.add_argument("--resume", action="store_true", help=RESUME)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.audit import audit

    audit(
        options.data,
        out=options.out,
        model=options.model,
        limit=options.limit,
        device=options.device,
        folds=options.folds,
        reader=options.reader,
        resume=options.resume,
    )
