"""``python -m training``: check, fit, export, quantize, known, evaluate."""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from pathlib import Path

from perception.errors import PerceptionError
from training.datasets.images import DataError
from training.malloc import keep_freed

USAGE = """usage: python -m training COMMAND …

  check DATA [--background DIR]                               list what is wrong with a data set
  fit --config training/configs/signs.yaml --data.root DATA   train; everything goes to runs/
  fit … --ckpt_path runs/…/last.ckpt                          go on where training stopped
  fit … --refit true                                          measure, then train again on all data
  fit --help                                                  all options of the trainer
  fit --model.help training.signs.task.SignTask              those of the model; or ….segmentation.MaskTask
  fit --data.help training.signs.data.SignData                those of the data; or ….segmentation.MaskData
  export CHECKPOINT MODEL.onnx                                write a model file, if it agrees with PyTorch
  quantize MODEL.onnx DATA OUT.int8.onnx                      write its INT8 version, if it sees the same
  known CHECKPOINT                                            compare ways to refuse what is no known sign
  evaluate MODEL.onnx DATA [--out DIR]                        measure a model file through the runtime
"""


def main() -> int:
    """Run one command; errors that a user can mend end in one line and exit code 1."""
    command, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    commands = {
        "check": check,
        "fit": fit,
        "export": export,
        "quantize": quantize,
        "known": known,
        "evaluate": evaluate,
    }
    if command in ("-h", "--help"):
        print(USAGE)
        return 0
    if command not in commands:
        print(f"python -m training: no command {command!r}\n{USAGE}", file=sys.stderr)
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    keep_freed()
    # Lightning and the exporter use a name that torch will rename; nobody at the terminal can help that.
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
    from training.graph import ExportError

    try:
        commands[command](arguments)
    except (PerceptionError, DataError, ExportError, OSError) as error:
        print(f"python -m training {command}: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"python -m training {command}: out of memory", file=sys.stderr)
        return 1
    return 0


def check(arguments: list[str]) -> None:
    """List what is wrong with a data set; exit code 1 if there are errors."""
    parser = argparse.ArgumentParser(prog="python -m training check", description=check.__doc__)
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument("--background", type=Path, help='signs: pictures to cut "no known sign" from')
    parser.add_argument(
        "--val_fraction", type=float, default=0.1, help="signs: as --data.val_fraction of fit"
    )
    parser.add_argument("--seed", type=int, default=0, help="signs: as --data.seed of fit")
    parser.add_argument("--hold_out", nargs="*", default=(), help="signs: classes to be left out by fit")
    parser.add_argument(
        "--all", action="store_true", help="print every path, not the first ones of each kind"
    )
    chosen = parser.parse_args(arguments)
    from training.check import run

    run(
        chosen.data,
        everything=chosen.all,
        background=chosen.background,
        val_fraction=chosen.val_fraction,
        seed=chosen.seed,
        hold_out=chosen.hold_out,
    )


def fit(_: list[str]) -> None:
    """Train; Lightning's command line reads sys.argv itself."""
    from training.fit import fit as run

    run()


def export(arguments: list[str]) -> None:
    """Write a model file from a checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m training export", description=export.__doc__)
    parser.add_argument("checkpoint", type=Path, help="a .ckpt that fit wrote")
    parser.add_argument("model", type=Path, help="the .onnx to write")
    parser.add_argument("--data", type=Path, help="where the data set lies now, if it moved since training")
    parser.add_argument("--background", type=Path, help="where the pictures of background lie now, likewise")
    parser.add_argument(
        "--calibration",
        type=Path,
        help="a model file whose calibration to take, for nets that have learnt from the validation part",
    )
    chosen = parser.parse_args(arguments)
    from training.export import export as run

    run(
        chosen.checkpoint,
        chosen.model,
        data_root=chosen.data,
        background=chosen.background,
        calibration=chosen.calibration,
    )


def quantize(arguments: list[str]) -> None:
    """Write the INT8 version of a model file; ranges come from the training part of its data set."""
    parser = argparse.ArgumentParser(prog="python -m training quantize", description=quantize.__doc__)
    parser.add_argument("model", type=Path, help="an exported .onnx")
    parser.add_argument("data", type=Path, help="root of the data set that it was trained on")
    parser.add_argument("out", type=Path, help="the .onnx to write")
    parser.add_argument(
        "--method",
        choices=("minmax", "percentile"),
        default="minmax",
        help="how ranges are calibrated; percentile leaves outliers out, and needs gigabytes for masks",
    )
    chosen = parser.parse_args(arguments)
    from training.quantize import quantize as run

    run(chosen.model, chosen.data, chosen.out, method=chosen.method)


def known(arguments: list[str]) -> None:
    """Compare ways to tell a known sign from background and from classes held out of training."""
    parser = argparse.ArgumentParser(prog="python -m training known", description=known.__doc__)
    parser.add_argument("checkpoint", type=Path, help="a .ckpt of a sign classifier")
    parser.add_argument("--data", type=Path, help="where the data set lies now, if it moved since training")
    parser.add_argument("--background", type=Path, help="where the pictures of background lie now, likewise")
    chosen = parser.parse_args(arguments)
    from scripts.known import known as run

    run(chosen.checkpoint, data_root=chosen.data, background=chosen.background)


def evaluate(arguments: list[str]) -> None:
    """Measure a model file on the validation part of a data set, through the runtime."""
    parser = argparse.ArgumentParser(prog="python -m training evaluate", description=evaluate.__doc__)
    parser.add_argument("model", type=Path, help="an exported .onnx")
    parser.add_argument("data", type=Path, help="root of the data set")
    parser.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder for report.html and metrics.json"
    )
    parser.add_argument(
        "--split", choices=("val", "all"), default="val", help="val: what training kept aside"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or tensorrt")
    parser.add_argument(
        "--background", type=Path, help="signs: street pictures, to measure how unknown things are refused"
    )
    parser.add_argument(
        "--corruptions", action="store_true", help="signs: measure on corrupted crops, too; takes minutes"
    )
    chosen = parser.parse_args(arguments)
    from training.evaluate import evaluate as run

    run(
        chosen.model,
        chosen.data,
        out=chosen.out,
        device=chosen.device,
        split=chosen.split,
        background=chosen.background,
        corruptions=chosen.corruptions,
    )


if __name__ == "__main__":
    sys.exit(main())
