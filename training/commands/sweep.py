"""``sweep``: search for better settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from perception.errors import InputError
from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "sweep",
        help="search for better settings: many trainings, the worst stopped early",
        description="Options of fit, such as --data.root, go to every training.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="as training/configs/sweeps/signs.yaml")
    parser.add_argument("--workers", type=int, default=1, help="trainings at a time (default: 1)")
    parser.add_argument("--trials", type=int, help="in all (default: as the file says)")
    parser.add_argument("--resume", action="store_true", help="go on with a study, or join it")
    parser.add_argument("--out", type=Path, help="folder for everything (default: runs/sweeps/NAME)")
    parser.add_argument("--study", help="its name (default: the file's)")
    parser.add_argument("--storage", help="address of a database (default: a file of SQLite in --out)")
    parser.add_argument(
        "--ray",
        action="store_true",
        help="let Ray run the trials, --workers at a time; needs the extra fleet",
    )
    parser.add_argument("--address", help="of a cluster of Ray, as HOST:6379 (default: this machine alone)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from rich.console import Console

    from training.sweep import sweep
    from training.sweep.report import best_trials, in_brief

    if options.address and not options.ray:
        raise InputError("--address is for a cluster of Ray; give --ray as well, or leave it out")
    out = options.out or Path("runs/sweeps") / (options.study or options.file.stem)
    try:
        found = sweep(
            options.file,
            options.others,
            out=out,
            study_name=options.study,
            storage=options.storage,
            trials=options.trials,
            workers=options.workers,
            resume=options.resume,
            ray=options.ray,
            address=options.address,
        )
    except KeyboardInterrupt:
        print(f"stopped; {out}/report.html shows what was found until now, and --resume goes on")
        raise SystemExit(130) from None
    Console().print(best_trials(found))
    print(f"{in_brief(found)}; {out}/report.html shows them")
    print(f"python -m training fit --config {out}/best.yaml trains the best again, and exports it")
