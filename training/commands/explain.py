"""``explain``: show why a net says what it says, and find shortcuts that it has learnt."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands import RESUME, SubParsers

METHODS = ("occlusion", "gradcam", "lime", "guided_backprop", "deconvolution")


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain",
        help="why a net says what it says, and whether it has learnt a shortcut",
        description="Where the evidence for an answer is. Needs a .ckpt of fit; or the .safetensors and the "
        ".onnx that export wrote, side by side.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help=".ckpt, or .safetensors beside its .onnx")
    parser.add_argument(
        "pictures", nargs="+", type=Path, metavar="PICTURES", help="pictures or folders; signs: crops"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("explanation"),
        help="folder for report.html and the data as JSON (default: explanation)",
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=(), help="by default all quick ones")
    parser.add_argument("--label", nargs="+", default=(), help="classes to ask about, instead of the answer")
    parser.add_argument(
        "--sanity", action="store_true", help="explain a net with random weights beside, to judge methods"
    )
    parser.add_argument(
        "--shortcuts",
        action="store_true",
        help="PICTURES is a data set: rank its classes by evidence outside the sign, on the validation part",
    )
    parser.add_argument(
        "--limit", type=int, help="pictures (default: 12); with --shortcuts, of each class (20)"
    )
    parser.add_argument("--resume", action="store_true", help=RESUME)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training.datasets.images import DataError
    from training.explain import explain, find_shortcuts

    common = {
        "out": options.out,
        "methods": options.methods,
        "limit": options.limit,
        "resume": options.resume,
    }
    if not options.shortcuts:
        explain(options.model, options.pictures, labels=options.label, sanity=options.sanity, **common)
        return
    if len(options.pictures) > 1 or options.sanity or options.label:
        raise DataError(
            "--shortcuts takes one data set, and neither --sanity nor --label; leave the rest out"
        )
    find_shortcuts(options.model, options.pictures[0], **common)
