"""Processing: many drives by Ray Data, each by one worker, because signs are followed from frame to frame."""

from __future__ import annotations

import argparse
import logging
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from perception.errors import PerceptionError
from perception.fleet import cluster, inputs, table
from perception.fleet.job import Entry, Given, Job
from perception.fleet.ledger import TRIES, Ledger
from perception.fleet.worker import Order, Worker

_log = logging.getLogger(__name__)
_CLASS = re.compile(r"^[\w.]+(Error|Exception): ")


def process(
    job: Job, options: argparse.Namespace, console: Console, *, given: Sequence[Given] | None = None
) -> list[Entry]:
    """Do a job with many drives; those that are done already are not done again.

    Args:
        job: what is done with each.
        options: of the command line: the inputs, ``out``, ``address``, ``workers`` and the device.
        console: for the progress bar and the summary.
        given: the drives, if they are known already.

    Returns:
        What became of each, in the order of the inputs. It is also in ``out/drives.parquet``.

    Raises:
        PerceptionError: an option or an input cannot be used, the models cannot be opened, or the cluster is
            gone. What is done until then is not done again.
    """
    drives = list(given or inputs.drives(options.inputs))
    out = Path(options.out).absolute()
    ledger = Ledger(out, uuid.uuid4().hex[:8])
    done = {
        drive.name: entry for drive in drives if (entry := ledger.done(drive, job.settings(drive.number)))
    }
    left = [drive.number for drive in drives if drive.name not in done]
    before, begin = len(done), time.perf_counter()
    try:
        if left:
            with cluster.started(options.address) as ray:
                share = cluster.share(ray, options.workers, device=getattr(options, "device", "auto"))
                order = Order(job, tuple(drives), ledger, Path.cwd(), share.threads)
                with ledger.opened():
                    for entry in _watched(_entries(ray, order, left, share), len(drives), before, console):
                        done[entry.name] = entry
    finally:
        if done:
            table.write([done[drive.name] for drive in drives if drive.name in done], out / table.NAME)
    entries = [done[drive.name] for drive in drives]
    table.show(entries, before, time.perf_counter() - begin, Path(options.out) / table.NAME, console)
    return entries


def _entries(ray: Any, order: Order, numbers: Sequence[int], share: cluster.Share) -> Iterator[Entry]:
    """The drives as they are done. Ray starts a worker that ended again, and gives it its drive again."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # there is one of ours
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    rows = ray.data.from_items(
        [{"number": number} for number in numbers], override_num_blocks=len(numbers)
    ).map(
        Worker,
        fn_constructor_args=(order,),
        compute=ray.data.ActorPoolStrategy(
            size=min(share.workers, len(numbers)),
            max_tasks_in_flight_per_actor=1,  # a drive that waits for its worker could be another one's
        ),
        num_cpus=share.cpus,
        num_gpus=share.gpus,
    )
    try:
        for row in rows.iter_rows():
            yield Entry.from_json(row["entry"])
    except ray.exceptions.RayError as error:
        raise PerceptionError(f"the fleet stopped: {_reason(error)}; the same command goes on") from error


def _reason(error: BaseException) -> str:
    """The last line, which is the error itself, without the traceback that Ray puts before it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return _CLASS.sub("", lines[-1]) if lines else type(error).__name__


def _watched(entries: Iterator[Entry], total: int, before: int, console: Console) -> Iterator[Entry]:
    """The same, with a progress bar and a line for each thing that somebody should know."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("drives"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting", total=total, completed=before)
        frames, failed = 0, 0
        for entry in entries:
            frames += entry.did.frames
            failed += entry.state == "failed"
            for remark in entry.did.remarks:
                _log.warning("%s", remark)
            if entry.tries > 1 and entry.state == "done":
                _log.warning("%s: done by %s at try %d of %d", entry.place, entry.worker, entry.tries, TRIES)
            said = f"{frames} frames" + (f", {failed} failed" if failed else "")
            progress.update(bar, advance=1, description=said)
            yield entry
