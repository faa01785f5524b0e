"""``export``: write a model file."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser("export", help="write a model file, if it agrees with PyTorch")
    parser.add_argument("checkpoint", type=Path, help="a .ckpt that fit wrote")
    parser.add_argument("model", type=Path, help="the .onnx to write")
    parser.add_argument("--data", type=Path, help="where the data set is now, if it moved since training")
    parser.add_argument("--background", type=Path, help="where the pictures of background are now, likewise")
    parser.add_argument(
        "--calibration",
        type=Path,
        help="a model file whose calibration to take, for nets that have learnt from the validation part",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.export import export

    export(
        options.checkpoint,
        options.model,
        data_root=options.data,
        background=options.background,
        calibration=options.calibration,
    )
