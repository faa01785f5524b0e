"""Evaluate: whether drives still go as a team has written down, for continuous integration."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from rich.console import Console
from rich.table import Table

from perception.commands import drives, fleet, fleet_options, models
from perception.commands.options import count
from perception.errors import InputError, PerceptionError
from perception.expectations import junit, schema, template
from perception.expectations.quantities import Drive, Expectations, number
from perception.fleet import inputs
from perception.paths import replacing

FAILED = 3  # exit code: all drives were replayed, and something does not hold


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "inputs",
        nargs="+",
        type=inputs.place,
        metavar="DRIVE",
        help="bag, tub, video, folder of pictures, or folder with images/ and masks/",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--expect",
        nargs="+",
        type=Path,
        metavar="FILE.yaml",
        help="what is expected: one file for all drives, or one for each, in their order",
    )
    what.add_argument(
        "--write-expect", type=Path, metavar="FILE.yaml", help="write what a drive was like that was good"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE.xml", help="write the verdicts here, too")
    parser.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="drives at a time, each in a process (default: 1)"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="with --ray: a folder for what came out")
    models.add_models(parser)
    models.add_boxes(parser)
    parser.add_argument("--topic", help="image topic of the bags, where they have several")


def run(options: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        The exit code: 0 if everything holds, 1 if a drive could not be replayed to its end, else FAILED.

    Raises:
        PerceptionError: an option, a file or a drive cannot be used.
    """
    console, progress = Console(), Console(stderr=True)
    is_fleet = fleet_options.check(options)
    if options.out and not is_fleet:
        raise InputError("--out is for --ray; leave it out, or give --ray as well")
    if options.write_expect:
        if is_fleet:
            raise InputError("--write-expect takes one drive, without --ray; leave one out")
        options.inputs = inputs.local(options.inputs)
        _write(options, progress)
        console.print(f"expectations: {options.write_expect}", highlight=False, markup=False, soft_wrap=True)
        return 0
    done = []
    for drive in _of_fleet(options) if is_fleet else _one_by_one(options, progress):
        show(drive, console)
        done.append(drive)
    if options.junit:
        junit.write(done, options.junit)
        console.print(f"JUnit: {options.junit}", highlight=False, markup=False, soft_wrap=True)
    if any(drive.error for drive in done):
        return 1
    return FAILED if any(drive.failed for drive in done) else 0


def show(drive: Drive, console: Console) -> None:
    """Print what was measured, and then each expectation that does not hold, with its place."""
    held = len(drive.verdicts) - len(drive.failed)
    console.print(f"{drive.name}: {drive.frames} frames", highlight=False, markup=False, soft_wrap=True)
    table = Table()
    for name in ("expectation", "measured", "expected", ""):
        table.add_column(name, justify="right" if name == "measured" else "left", overflow="fold")
    for verdict in drive.verdicts:
        value = "" if verdict.value is None else number(verdict.value)
        expectation = verdict.expectation
        name = expectation.quantity.name.replace("[", r"\[")  # so that rich does not read it as markup
        table.add_row(name, value, expectation.bounds, "[red]no[/]" if verdict.problem else "yes")
    if drive.verdicts:
        console.print(table)
    lines = [
        f"{drive.expected.path}:{verdict.expectation.line}: {verdict.problem}" for verdict in drive.failed
    ]
    lines.append(
        f"{drive.name}: not checked: {drive.error}"
        if drive.error
        else f"{drive.name}: {held} of {len(drive.verdicts)} expectations hold"
    )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _one_by_one(options: argparse.Namespace, console: Console) -> Iterator[Drive]:
    options.inputs = inputs.local(options.inputs)
    expected = _expected(len(options.inputs), options.expect)
    for path in options.inputs:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    return _checked(options, expected, console)


def _of_fleet(options: argparse.Namespace) -> Sequence[Drive]:
    if not options.out:
        raise InputError("--ray needs a folder for what came out; give --out FOLDER")
    if options.jobs > 1:
        raise InputError("--jobs is for one machine without --ray; give --workers instead")
    given = inputs.drives(options.inputs)
    return fleet.evaluate_all(options, given, _expected(len(given), options.expect))


def _expected(count: int, files: Sequence[Path]) -> list[Expectations]:
    """What is expected of each drive."""
    if len(files) not in (1, count):
        raise InputError(
            f"{len(files)} files of expectations, but drives: {count}; give one for all, or one for each"
        )
    read = [schema.read(path) for path in files]
    return read if len(read) == count else read * count


def _write(options: argparse.Namespace, console: Console) -> None:
    target: Path = options.write_expect
    if len(options.inputs) != 1:
        raise InputError(f"--write-expect takes one drive, and there are {len(options.inputs)}")
    if options.junit:
        raise InputError("--junit writes verdicts, and --write-expect has none; leave one out")
    if target.exists():
        raise InputError(f"{target} exists already; remove it or write elsewhere")
    good = drives.observe(options.inputs[0], options, console)
    with replacing(target) as unfinished:
        unfinished.write_text(template.text(good), encoding="utf-8", errors="replace")


def _checked(
    options: argparse.Namespace, expected: Sequence[Expectations], console: Console
) -> Iterator[Drive]:
    """The drives in their order, each as soon as it and those before it are done."""
    jobs = min(options.jobs, len(options.inputs))
    if jobs == 1:
        for path, own in zip(options.inputs, expected, strict=True):
            yield drives.check(path, own, options, console)
        return
    # Forked, the threads of ONNX Runtime and OpenCV would be missing.
    context = multiprocessing.get_context("spawn")
    plain = argparse.Namespace(**{name: value for name, value in vars(options).items() if name != "command"})
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker) as pool:
        waiting: list[Future[Drive]] = [
            pool.submit(drives.check, path, own, plain, None)
            for path, own in zip(options.inputs, expected, strict=True)
        ]
        try:
            for path, future in zip(options.inputs, waiting, strict=True):
                try:
                    yield future.result()
                except BrokenProcessPool as error:
                    raise PerceptionError(
                        f"{path}: a process ended before its drive, perhaps because memory was short; "
                        "try fewer --jobs"
                    ) from error
        except BaseException:  # also Ctrl-C: do not wait for drives that nobody wants any more
            for future in waiting:
                future.cancel()
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin_worker() -> None:
    """Leave Ctrl-C to the process that has started this one, and write warnings as it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="perception: %(message)s")
