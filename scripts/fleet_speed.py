"""How much faster do two workers of a fleet do twenty drives than one, and what does a killed worker cost?

    python -m scripts.fleet_speed --out OUT              # two turns of each, after which a worker is killed
    python -m scripts.fleet_speed --drives 4 --turns 1   # a short look

The drives are made of the shipped bag: JPEG of 1360×800 at 10 Hz, each beginning at another scene. One worker
has one thread and one core, as each of two has. What is compared takes turns, so that other work slows both.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from perception.commands.cli import main as perception
from perception.fleet import cluster
from perception.fleet.job import DONE, Entry
from perception.paths import shared
from perception.recordings.bag import BagReader, BagWriter
from perception.report import tables

IMAGES = "/camera/image_raw/compressed"
SHIFT = 6  # frames of the shipped bag from the start of one drive to that of the next: two scenes
PERIOD_NS = 100_000_000
START_NS = 10**18


def write_drives(folder: Path, count: int, frames: int) -> list[Path]:
    """Cut drives out of the shipped bag, which goes round."""
    with BagReader(shared("demo/street")) as bag:
        kind, pictures = bag.topics[IMAGES], [data for _, _, data in bag.raw([IMAGES])]
    drives = []
    for number in range(count):
        drives.append(folder / f"drive{number:02d}")
        with BagWriter(drives[-1]) as bag:
            for frame in range(frames):
                data = pictures[(SHIFT * number + frame) % len(pictures)]
                bag.write_raw(IMAGES, kind, data, START_NS + frame * PERIOD_NS)
    return drives


def timed(
    drives: Sequence[Path], out: Path, workers: int, *, is_killed: bool = False
) -> tuple[float, list[Entry]]:
    """Seconds from a Ray that has started to the table, and what became of each drive."""
    words = [
        "run",
        *map(str, drives),
        "--ray",
        "--workers",
        str(workers),
        "--out",
        str(out),
        "--overlay",
        "none",
    ]
    with cluster.started(None, cpus=workers):
        if is_killed:
            threading.Thread(target=_kill, args=(out, drives), daemon=True).start()
        begin = time.perf_counter()
        code = perception(words)
        seconds = time.perf_counter() - begin
    if code:
        raise SystemExit("a drive failed")
    entries = [Entry.from_json((out / drive.name / DONE).read_text(encoding="utf-8")) for drive in drives]
    return seconds, entries


def _kill(out: Path, drives: Sequence[Path]) -> None:
    """End a worker that is in the middle of a drive, once half of the drives are done."""
    while sum((out / drive.name / DONE).exists() for drive in drives) < len(drives) // 2:
        time.sleep(0.1)
    time.sleep(0.5)
    begun = {path.stem: path for path in out.glob(".fleet-*/*.tries")}
    name = next(name for name in sorted(begun) if not (out / name).exists())
    pid = int(begun[name].read_text(encoding="utf-8").split(":")[-1])
    print(f"killed {pid}, which worked on {name}")
    os.kill(pid, signal.SIGKILL)


def _results(out: Path, drive: Path) -> bytes:
    return (out / drive.name / "results" / "results.mcap").read_bytes()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="keep the drives and the results here")
    parser.add_argument("--drives", type=int, default=20)
    parser.add_argument("--frames", type=int, default=30, help="of each drive (default: 30)")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        drives = write_drives(out / "drives", options.drives, options.frames)
        seconds: dict[int, list[float]] = {1: [], 2: []}
        alone: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(options.turns):
            for workers in (1, 2) if turn % 2 == 0 else (2, 1):
                took, done = timed(drives, out / f"{workers}_{turn}", workers)
                seconds[workers].append(took)
                alone[workers] += [entry.seconds for entry in done]
        killed, entries = timed(drives, out / "killed", 2, is_killed=True)
        same = sum(_results(out / "killed", drive) == _results(out / "1_0", drive) for drive in drives)
    frames = options.drives * options.frames
    mean = {workers: statistics.mean(values) for workers, values in seconds.items()}
    rows = [
        (
            f"{workers} workers: {', '.join(f'{value:.1f}' for value in seconds[workers])} s",
            f"{mean[workers]:.1f}",
            f"{frames / mean[workers]:.1f}",
        )
        for workers in seconds
    ]
    rows.append(("2 workers, one of them killed", f"{killed:.1f}", f"{frames / killed:.1f}"))
    console = Console()
    console.print(tables.numbers(("", "s", "frames/s"), rows))
    again = sum(entry.tries > 1 for entry in entries)
    ratio = 2 * statistics.mean(alone[1]) / statistics.mean(alone[2])
    console.print(
        f"two are {mean[1] / mean[2]:.2f} times as fast as one, and {ratio:.2f} times without their start"
    )
    console.print(f"after the kill: {again} done again, {same} of {len(drives)} results of the same bytes")


if __name__ == "__main__":
    main()
