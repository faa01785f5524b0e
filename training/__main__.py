"""``python -m training``: its commands are in ``training/commands/``."""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

from perception.errors import PerceptionError
from perception.malloc import keep_freed
from training.commands import (
    attack,
    audit,
    check,
    corrupt,
    evaluate,
    explain,
    export,
    extract,
    fit,
    labels,
    profile,
    quantize,
    signs_from_artwork,
    sweep,
)
from training.datasets.images import DataError
from training.tasks import TASKS

COMMANDS = (
    extract,
    labels,
    signs_from_artwork,
    check,
    audit,
    fit,
    sweep,
    export,
    quantize,
    evaluate,
    corrupt,
    attack,
    profile,
    explain,
)

EXAMPLES = """examples:
  extract DRIVE --out FRAMES --model models/segnet.onnx       frames to label, with masks to correct
  labels export FRAMES TASK --to cvat                         masks to correct in CVAT; and back with import
  signs-from-artwork ARTWORK OUT                              make a data set of signs that you print
  fit --config training/configs/signs.yaml --data.root DATA   train; everything goes to runs/
  fit … --ckpt_path runs/…/last.ckpt                          go on where training stopped
  fit … --refit true                                          measure, then train again on all data
  sweep training/configs/sweeps/signs.yaml --data.root DATA   which rates and sizes suit your signs
  fit --help                                                  all options of the trainer"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if all went well, 1 for an error that one line on stderr explains, 130 after Ctrl-C.
        A wrong usage leaves with 2 through SystemExit, as argparse does it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    parser = _parser()
    options, others = parser.parse_known_args(arguments)
    if options.command is None and not others:
        parser.print_help()
        return 0
    if options.command in (fit.run, sweep.run):
        options.others = others
    elif others or options.command is None:
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
    except KeyboardInterrupt:
        print(f"{parser.prog} {options.name}: stopped", file=sys.stderr)
        return 130
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
    for command in COMMANDS:
        command.add(commands)
    return parser


def _helps() -> Iterator[str]:
    """How to list the options of each task's model and data."""
    for name, task in TASKS.items():
        for part, reference in (("model", task.module), ("data", task.data)):
            command = f"fit --{part}.help {reference.replace(':', '.')}"
            yield f"  {command:<59} {name}: options of the {part}"


if __name__ == "__main__":
    sys.exit(main())
