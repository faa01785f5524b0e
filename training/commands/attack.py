"""``attack``: mislead a net on purpose, and measure how little that takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import RESUME, SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "attack",
        help="how little noise, or which sticker, misleads a net; and samples to train against it",
        description="Noise is made with the net's gradients; exported files get the same pictures.",
    )
    parser.add_argument("weights", type=Path, help=".safetensors or .onnx of a pair, or a .ckpt of fit")
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument("--out", type=Path, default=Path("attack"), help="folder (default: attack)")
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files that get the same pictures (default: the .onnx and .int8.onnx beside the weights)",
    )
    parser.add_argument("--limit", type=int, default=256, help="of the crops (default: 256)")
    parser.add_argument(
        "--radii",
        type=float,
        nargs="+",
        default=[1.0, 2.0, 4.0, 8.0],
        help="of the noise, of 255 (default: 1 2 4 8)",
    )
    parser.add_argument("--steps", type=int, default=20, help="of PGD (default: 20)")
    parser.add_argument("--starts", type=int, default=5, help="of the strongest attack (default: 5)")
    parser.add_argument(
        "--patch",
        type=float,
        default=0.25,
        help="side of patch and sticker, as a share of the crop; 0 learns none (default: 0.25)",
    )
    parser.add_argument("--patch-steps", type=int, default=200, help="of learning them (default: 200)")
    parser.add_argument(
        "--sign-mm", type=float, default=60.0, help="width of the printed signs (default: 60)"
    )
    parser.add_argument(
        "--write", type=Path, help="new folder for a data set with attacked crops, which fit takes"
    )
    parser.add_argument("--resume", action="store_true", help=RESUME)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.attack import Patching, attack
    from training.attack.radii import Effort

    attack(
        options.weights,
        options.data,
        out=options.out,
        files=options.against,
        limit=options.limit,
        effort=Effort(tuple(options.radii), options.steps, options.starts),
        patching=Patching(options.patch, options.patch_steps, options.sign_mm),
        write=options.write,
        resume=options.resume,
    )
