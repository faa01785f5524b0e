"""How long the studio's pages take with much in them, and how much memory it needs.

    python -m scripts.studio_load

A studio in a process of its own gets one data set of 200,000 pictures, of which each is really there, 500
trainings with their records, and a drive of 10,000 frames that was tried. Its pages are loaded one after the
other, as somebody who scrolls does.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

import perception
from perception.paths import shared
from perception.recordings.bag import BagWriter
from perception.recordings.results import ResultWriter
from perception.recordings.shots import Shot
from perception.recordings.sources import open_source
from studio import tries
from studio.catalogue import READY, Catalogue
from studio.database import Database
from studio.jobs import DONE
from studio.tries import Choice
from training.gallery import Shown

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 43
SIZE_HW = (48, 48)
LINKS = 10_000  # to one file, of which a disk allows some 65,000
LOADS = 40  # of each page
DRIVE_SIZE = (320, 240)  # px, width and height
PERIOD_NS = 100_000_000  # between two frames of a drive


def fill(folder: Path, pictures: int, trainings: int) -> str:
    """Write the data set, its list and the records of trainings. Returns the data set's id."""
    rng = np.random.default_rng(0)
    data = folder / "data"
    picture = cv2.imencode(".png", rng.integers(0, 256, (*SIZE_HW, 3), np.uint8))[1].tobytes()

    def shown() -> Iterator[Shown]:
        first = data
        for number in range(pictures):
            path = data / str(number % CLASSES) / f"{number:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if number % LINKS:
                path.hardlink_to(first)
            else:
                path.write_bytes(picture)
                first = path
            yield Shown(path, "val" if number % 10 == 9 else "train", (number % CLASSES,))

    catalogue = Catalogue(Database(folder / "state"))
    set_id = catalogue.add(data)
    labels = json.dumps([f"class {number}" for number in range(CLASSES)])
    catalogue.change(set_id, task="signs", labels=labels, summary=f"signs: {pictures} pictures")
    catalogue.fill(set_id, shown())
    catalogue.change(set_id, state=READY, total=pictures)
    for number in range(trainings):
        run = folder / "runs" / f"training {number}" / "lightning_logs" / "version_0"
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps(_record(number)))
    return set_id


def _record(number: int) -> dict[str, object]:
    data = {"data_set": "GTSRB", "folder": "GTSRB", "train": 90, "val": 10, "batch_size": 8}
    return {
        **{"status": "done", "error": "", "task": "signs", "started": "2026-01-01T10:00:00+00:00"},
        **{"duration_s": 120.0, "epochs": 3, "steps": 30, "seed": number, "machine": {}, "curves": []},
        **{"checkpoint": "", "model": None, "config": {"model": {"lr": 0.01}, "data": {}}},
        "data": {**data, "train_on_val": False, "kept_aside": ""},
        "metrics": {"val_accuracy": number / 1000, "train_loss": 0.5},
    }


def fill_drive(folder: Path, frames: int) -> int:
    """Write a try as if a drive of so many frames had been looked at. Returns the number of its job."""
    drive, about = ROOT / "demo" / "street", folder / "state" / "tries" / "drive"
    found = about / "out"
    first = next(islice(open_source(drive).shots(), 50, None))
    assert first.image is not None, "the demo's frames are whole"
    frame = np.asarray(cv2.resize(first.image, DRIVE_SIZE), np.uint8)
    with perception.load(shared("models/segnet.onnx"), device="cpu") as segment:
        mask, spec = segment(frame), segment.spec
    with BagWriter(found / "results") as bag:
        writer = ResultWriter(bag)
        writer.label_info(spec, first)
        for number in range(frames):
            stamp_ns = first.time_ns + number * PERIOD_NS
            writer.write(spec.task, mask, Shot(stamp_ns, stamp_ns, "", "", frame, None, None, 0.0))
    pictures = [found / "overlay" / f"{number:06d}.jpg" for number in range(frames)]
    pictures[0].parent.mkdir()
    pictures[0].write_bytes(cv2.imencode(".jpg", frame)[1].tobytes())
    for picture in pictures[1:]:
        picture.hardlink_to(pictures[0])
    models = {"signs": tries.NONE, "segmentation": str(shared("models/segnet.onnx"))}
    argv = json.dumps(tries.command(drive, found, Choice(models)))
    values = ("a long drive", tries.KIND, argv, str(ROOT), "", DONE, str(about), 0)
    with Database(folder / "state").open() as connection:  # not by Jobs, which would have it run
        cursor = connection.execute(
            "INSERT INTO jobs (title, kind, argv, place, device, state, about, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return int(cursor.lastrowid or 0)


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """A studio for what ``fill`` wrote: its address and the number of its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [f"--state={folder / 'state'}", f"--runs={folder / 'runs'}", f"--port={port}"]
    process = subprocess.Popen([sys.executable, "-m", "studio", str(folder / "data"), *options], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urlopen(f"{address}/jobs").close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit("the studio does not start") from None
                time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def load_ms(address: str) -> float:
    """Milliseconds until a page or picture is there as a whole."""
    begin = time.perf_counter()
    with urlopen(address) as answer:
        answer.read()
    return (time.perf_counter() - begin) * 1000.0


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.studio_load", description="Time the studio's pages with much in them."
    )
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--trainings", type=int, default=500)
    parser.add_argument("--frames", type=int, default=10_000, help="of a drive that was tried")
    options = parser.parse_args()
    table = Table("page", "p50 ms", "p95 ms", "MB behind it")
    with tempfile.TemporaryDirectory(prefix="studio-load-") as name:
        set_id = fill(Path(name), options.pictures, options.trainings)
        job = fill_drive(Path(name), options.frames)
        with served(Path(name)) as (address, pid):
            step = max(1, options.pictures // LOADS)
            starts = range(0, options.pictures, step)
            pages = {
                "first page": [f"data/{set_id}"] * LOADS,
                "scrolling": [f"data/{set_id}?from={start}" for start in starts],
                "a class": [f"data/{set_id}?class={start % CLASSES}&from={start}" for start in starts],
                "to validate on": [f"data/{set_id}?part=val&from={start}" for start in starts],
                "only suspicious": [f"data/{set_id}?suspicious=true"] * LOADS,
                "one picture": [f"data/{set_id}/{start}" for start in starts],
                "small pictures": [f"data/{set_id}/small/{start}" for start in starts],
                "all trainings": ["models"] * LOADS,
                "late frames": [f"try/{job}?frame={options.frames - 1 - back}" for back in range(LOADS)],
                "their pictures": [f"try/{job}/picture/{options.frames - 1 - back}" for back in range(LOADS)],
            }
            for what, paths in pages.items():
                load_ms(f"{address}/{paths[0]}")
                times = [load_ms(f"{address}/{path}") for path in paths]
                p50, p95 = np.percentile(times, (50, 95))
                table.add_row(what, f"{p50:.0f}", f"{p95:.0f}", f"{memory_mb(pid):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
