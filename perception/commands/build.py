"""Build: TensorRT's engines of models, made ahead of the first start."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from perception.engines import read_spec
from perception.engines.cuda import Gpu
from perception.engines.trt import build
from perception.errors import InputError
from perception.paths import model_file
from perception.tasks import TASKS, shipped

_NONE = "none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="model files, or shipped ones' names (default: those that the nodes take by default)",
    )
    for option, file in _nodes_models().items():
        parser.add_argument(
            f"--{option}",
            metavar="MODEL",
            help=f"as the node's parameter: file, folder or name; 'none': none (default: {file})",
        )
    parser.add_argument(
        "--for",
        dest="capability",
        type=_capability,
        metavar="8.9",
        help="for a GPU of this compute capability, which need not be here; TensorRT for RTX only",
    )
    parser.add_argument("--again", action="store_true", help="build even where an engine is kept")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Build an engine of each model, and say where it is kept.

    Raises:
        ModelError: a file cannot be used.
        DeviceError: TensorRT does not come up, or does not take a model.
        OSError: an engine cannot be kept.
    """
    console = Console(stderr=True)
    gpu = Gpu("", options.capability) if options.capability else None
    paths = [model_file(name, "") for name in options.models] or _of_nodes(options)
    for path in paths:
        read_spec(path)  # a misspelt name is reported before minutes of building
    for path in paths:
        began = time.monotonic()
        kept, is_new = _built(path, gpu, console, again=options.again)
        what = f"built in {time.monotonic() - began:.1f} s" if is_new else "there already"
        Console().print(f"{path.name}: {what}: {kept}", highlight=False, soft_wrap=True)


def _nodes_models() -> dict[str, str]:
    """The models of the nodes: option, and the shipped file."""
    return {name if name in shipped() else "detector": task.file for name, task in TASKS.items() if task.file}


def _of_nodes(options: argparse.Namespace) -> list[Path]:
    """The files that the nodes open where they are given the same."""
    given = {option: getattr(options, option) or "" for option in _nodes_models()}
    files = [
        model_file(given[option], file) for option, file in _nodes_models().items() if given[option] != _NONE
    ]
    if not files:
        raise InputError("all models are 'none', so there is nothing to build")
    return files


def _built(path: Path, gpu: Gpu | None, console: Console, *, again: bool) -> tuple[Path, bool]:
    """Build in a thread: Ctrl-C and SIGTERM then end the process at once, and not when TensorRT returns."""
    thread = ThreadPoolExecutor(1)
    try:
        with _progress(console, path.name) as show:
            return thread.submit(build, path, gpu=gpu, again=again, on_step=show).result()
    except (KeyboardInterrupt, SystemExit) as stop:
        # Python would wait for the thread. Nothing is half written, because an engine is kept as a whole.
        os._exit(int(stop.code or 0) if isinstance(stop, SystemExit) else 130)


@contextmanager
def _progress(console: Console, name: str) -> Iterator[_Show]:
    """A line of what TensorRT is at, and for how long; nothing where stderr is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Show(progress, name)


class _Show:
    """Draws the steps of the builder."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task = progress.add_task(f"{name}: begins", total=None)

    def __call__(self, phase: str, done: int, steps: int) -> None:
        description = f"{self._name}: {phase.lower()}"
        self._progress.update(self._task, description=description, completed=done, total=steps)


def _capability(text: str) -> tuple[int, int]:
    if not (found := re.fullmatch(r"(\d+)\.(\d)", text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no compute capability such as 8.9")
    return int(found[1]), int(found[2])
