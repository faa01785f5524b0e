"""The command ``perception bench``: its options, and what it prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from perception.commands import bench, budget
from perception.commands.options import count, positive
from perception.engines import DEVICES
from perception.errors import InputError
from perception.paths import model_file, writing

FRAMES = 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="model files, or shipped ones' names; with --budget, none means all shipped ones",
    )
    parser.add_argument(
        "--budget",
        type=positive,
        metavar="HZ",
        help="say which models hold so many frames a second here, by the size of the camera",
    )
    parser.add_argument(
        "--frames", type=count, help=f"timed frames (default: {FRAMES}; of a budget {budget.FRAMES})"
    )
    parser.add_argument(
        "--boxes",
        type=count,
        metavar="N",
        help="classifiers get N boxes of each frame, in one call (default: the whole frame)",
    )
    parser.add_argument(
        "--detector", metavar="MODEL", help="classifiers get what this one finds in each frame"
    )
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="take frames from here (default: a painted 1280x720)"
    )
    parser.add_argument("--topic", help="image topic of the bag, or field of the tub, where it has several")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here, too")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where the models run (default: auto)"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Time models and print.

    Raises:
        InputError: the options contradict each other.
    """
    options.models = [model_file(name, "") for name in options.models]
    if options.budget:
        content = _budget(options)
    elif not options.models:
        raise InputError(
            "no model to time; name some, such as segnet, or ask about the shipped ones with --budget 30"
        )
    else:
        timings = bench.bench(
            options.models,
            count=options.frames or FRAMES,
            input_path=options.input,
            topic=options.topic,
            device=options.device,
            boxes=options.boxes,
            detector=options.detector and model_file(options.detector, ""),
        )
        bench.show(timings, Console())
        content = [timing.to_json() for timing in timings]
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        with writing(options.json):
            options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _budget(options: argparse.Namespace) -> list[dict[str, object]]:
    given = [name for name in ("boxes", "detector", "input", "topic") if getattr(options, name) is not None]
    if given:
        raise InputError(f"--budget paints frames of several sizes; leave --{given[0]} out")
    held = budget.measure(
        options.models, options.budget, device=options.device, count=options.frames or budget.FRAMES
    )
    budget.show(held, Console())
    return [one.to_json() for one in held]
