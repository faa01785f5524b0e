"""Table: what became of each drive, as Parquet, and in a few lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from perception.errors import PerceptionError
from perception.fleet.job import Entry
from perception.paths import replacing

NAME = "drives.parquet"


def write(entries: Sequence[Entry], path: Path) -> None:
    """Write a row for each drive.

    Raises:
        OSError: it cannot be written.
        PerceptionError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise PerceptionError(f"{path}: pyarrow writes it ({error}); install the extra fleet") from error

    columns = {
        "name": pyarrow.array([entry.name for entry in entries], pyarrow.string()),
        "drive": pyarrow.array([entry.place for entry in entries], pyarrow.string()),
        "state": pyarrow.array([entry.state for entry in entries], pyarrow.string()),
        "frames": pyarrow.array([entry.did.frames for entry in entries], pyarrow.int64()),
        "bad_frames": pyarrow.array([entry.did.bad for entry in entries], pyarrow.int64()),
        "unmet": pyarrow.array([entry.did.unmet for entry in entries], pyarrow.int64()),
        "seconds": pyarrow.array([entry.seconds for entry in entries], pyarrow.float64()),
        "tries": pyarrow.array([entry.tries for entry in entries], pyarrow.int64()),
        "worker": pyarrow.array([entry.worker for entry in entries], pyarrow.string()),
        "error": pyarrow.array([entry.error for entry in entries], pyarrow.string()),
        "remarks": pyarrow.array(
            [list(entry.did.remarks) for entry in entries], pyarrow.list_(pyarrow.string())
        ),
    }
    with replacing(path) as unfinished:
        parquet.write_table(pyarrow.table(columns), unfinished)


def show(entries: Sequence[Entry], before: int, seconds: float, table: Path, console: Console) -> None:
    """Print how many drives are done, which failed and why, and where the table is.

    Args:
        entries: all drives.
        before: how many of them were done before.
        seconds: that the others took.
        table: its file.
        console: to print on.
    """
    failed = [entry for entry in entries if entry.state == "failed"]
    frames = sum(entry.did.frames for entry in entries)
    parts = [f"{len(entries)} drives", f"{len(entries) - len(failed) - before} done in {seconds:.0f} s"]
    parts += [f"{before} done before"] if before else []
    parts += [f"{len(failed)} failed"] if failed else []
    lines = [f"{', '.join(parts)}; {frames} frames"]
    lines += [f"{entry.place}: failed after {entry.tries} tries: {entry.error}" for entry in failed]
    for line in (*lines, f"drives: {table}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
