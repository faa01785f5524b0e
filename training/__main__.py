"""``python -m training``: extract, labels, signs-from-artwork, check, fit, export, quantize, evaluate."""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perception.errors import PerceptionError
from training import labels
from training.datasets.images import DataError
from training.malloc import keep_freed
from training.tasks import TASKS

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

EXAMPLES = """examples:
  extract DRIVE --out FRAMES --model models/track.onnx        frames to label, with masks to correct
  labels export FRAMES TASK --to cvat                         masks to correct in CVAT; and back with import
  signs-from-artwork ARTWORK OUT                              make a data set of signs that you print
  fit --config training/configs/signs.yaml --data.root DATA   train; everything goes to runs/
  fit … --ckpt_path runs/…/last.ckpt                          go on where training stopped
  fit … --refit true                                          measure, then train again on all data
  fit --help                                                  all options of the trainer"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if all went well, 1 for an error that one line on stderr explains.
        A wrong usage leaves with 2 through SystemExit, as argparse does it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    if options.command is _fit:
        options.others = others
    elif others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    command: Callable[[argparse.Namespace], None] = options.command
    keep_freed()
    # Lightning and the exporter use a name that torch will rename; no user can change that.
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
    from training.graph import ExportError

    try:
        command(options)
    except (PerceptionError, DataError, ExportError, OSError) as error:
        print(f"{parser.prog} {options.name}: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"{parser.prog} {options.name}: out of memory", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Data sets in, model files out.",
        epilog="\n".join([EXAMPLES, *_helps()]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(dest="name", metavar="command")
    _add_extract(commands)
    labels.add(commands)
    _add_check(commands)
    _add_fit(commands)
    _add_export(commands)
    _add_quantize(commands)
    _add_evaluate(commands)
    _add_profile(commands)
    _add_signs_from_artwork(commands)
    return parser


def _helps() -> Iterator[str]:
    """How to list the options of each task's model and data."""
    for name, task in TASKS.items():
        for part, reference in (("model", task.module), ("data", task.data)):
            command = f"fit --{part}.help {reference.replace(':', '.')}"
            yield f"  {command:<59} {name}: options of the {part}"


def _add_extract(commands: SubParsers) -> None:
    parser = commands.add_parser(
        "extract",
        help="pick the frames of drives that are worth labelling",
        description="The most different and most uncertain sharp frames come first.",
    )
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="bag, video, tub or folder of pictures"
    )
    parser.add_argument("--out", type=Path, required=True, help="new folder for pictures and labels")
    parser.add_argument("--count", type=int, default=40, help="of the frames (default: 40)")
    parser.add_argument(
        "--model",
        dest="models",
        type=Path,
        action="append",
        default=[],
        help="whose doubts count, and whose answers are written beside the frames; may be given twice",
    )
    parser.add_argument("--detector", type=Path, help="what finds signs (default: the shipped one)")
    parser.add_argument("--topic", help="of the images, in bags that have several")
    parser.set_defaults(command=_extract)


def _add_check(commands: SubParsers) -> None:
    parser = commands.add_parser(
        "check", help="list what is wrong with a data set", description="Exit code 1 if there are errors."
    )
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument("--background", type=Path, help='signs: pictures to cut "no known sign" from')
    parser.add_argument(
        "--val_fraction", type=float, help="signs, boxes: as --data.val_fraction of fit (default: as there)"
    )
    parser.add_argument("--seed", type=int, default=0, help="signs: as --data.seed of fit")
    parser.add_argument("--hold_out", nargs="*", default=(), help="signs: classes that fit shall leave out")
    parser.add_argument("--all", action="store_true", help="print every path, not the first of each kind")
    parser.set_defaults(command=_check)


def _add_fit(commands: SubParsers) -> None:
    # Lightning's command line reads the options, --help among them.
    parser = commands.add_parser("fit", help="train a model (fit --help: all options)", add_help=False)
    parser.set_defaults(command=_fit)


def _add_export(commands: SubParsers) -> None:
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
    parser.set_defaults(command=_export)


def _add_quantize(commands: SubParsers) -> None:
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
    parser.set_defaults(command=_quantize)


def _add_evaluate(commands: SubParsers) -> None:
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
        "--corruptions", action="store_true", help="signs: measure on corrupted crops as well; takes minutes"
    )
    parser.add_argument(
        "--reader", type=Path, help="sign_detection: a model file of signs, to measure reading as well"
    )
    parser.add_argument(
        "--streaming",
        action="store_true",
        help="sign_detection: measure following on generated drives as well",
    )
    parser.set_defaults(command=_evaluate)


def _add_profile(commands: SubParsers) -> None:
    parser = commands.add_parser(
        "profile",
        help="where a model's time and memory go, part by part",
        description="Operators of exported files, blocks of checkpoints; several models side by side.",
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL", help=".onnx, or a .ckpt of fit")
    parser.add_argument("--out", type=Path, help="folder for profile.json and report.html")
    parser.add_argument("--runs", type=int, default=20, help="that are timed (default: 20)")
    parser.set_defaults(command=_profile)


def _add_signs_from_artwork(commands: SubParsers) -> None:
    parser = commands.add_parser(
        "signs-from-artwork",
        help="make a data set of signs that you print, from their artwork",
        description="Renders each sign as printed, before rooms and floors. No photograph is needed.",
    )
    parser.add_argument("artwork", type=Path, help="folder with one picture of each sign or PDFs, or one PDF")
    parser.add_argument("out", type=Path, help="new folder for the data set")
    parser.add_argument(
        "--names",
        nargs="+",
        default=(),
        metavar="NAME",
        help="of the signs, in the order of files and pages, or a text file of them; - leaves one out",
    )
    parser.add_argument(
        "--backgrounds", type=Path, help="pictures of your track without these signs (default: drawn rooms)"
    )
    parser.add_argument("--crops", type=int, default=400, help="of each sign (default: 400)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that chance decides (default: 0)")
    parser.set_defaults(command=_signs_from_artwork)


def _extract(options: argparse.Namespace) -> None:
    from training.extract import extract

    done = extract(
        options.inputs,
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


def _check(options: argparse.Namespace) -> None:
    from training.check import run

    given = {} if options.val_fraction is None else {"val_fraction": options.val_fraction}
    run(
        options.data,
        everything=options.all,
        background=options.background,
        seed=options.seed,
        hold_out=options.hold_out,
        **given,
    )


def _fit(options: argparse.Namespace) -> None:
    from training import fit

    fit.report(fit.fit(options.others))


def _export(options: argparse.Namespace) -> None:
    from training.export import export

    export(
        options.checkpoint,
        options.model,
        data_root=options.data,
        background=options.background,
        calibration=options.calibration,
    )


def _quantize(options: argparse.Namespace) -> None:
    from training.quantize import quantize

    quantize(options.model, options.data, options.out, method=options.method)


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import evaluate

    evaluate(
        options.model,
        options.data,
        out=options.out,
        device=options.device,
        split=options.split,
        background=options.background,
        corruptions=options.corruptions,
        reader=options.reader,
        streaming=options.streaming,
    )


def _profile(options: argparse.Namespace) -> None:
    from training.profile import profile

    profile(options.models, out=options.out, runs=options.runs)


def _signs_from_artwork(options: argparse.Namespace) -> None:
    from training.signs import from_artwork

    made = from_artwork.make(
        options.artwork,
        options.out,
        names=options.names,
        backgrounds=options.backgrounds,
        crops=options.crops,
        seed=options.seed,
    )
    for path in made.several:
        print(f"warning: {path} seems to show several signs; a class is one sign, so cut them apart")
    print(f"{made.root}: {made.crops} crops of {', '.join(made.labels)}; {made.background} of background")
    print(f"learn from them: {made.fit}")


if __name__ == "__main__":
    sys.exit(main())
