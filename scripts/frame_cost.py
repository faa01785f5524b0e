"""What a frame of a drive costs: milliseconds of a processor core by part, and bytes by topic of the results.

    taskset -c 1 python -m scripts.frame_cost                   # the shipped bag and models
    taskset -c 1 python -m scripts.frame_cost drive.mcap

Time of the processor is measured, not of the clock, because other work on the machine changes it less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import zstandard
from rich.console import Console

import perception
from perception.commands.run import run
from perception.paths import shared
from perception.reader import SignReader
from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.sources import open_source
from perception.report import tables


class _Processor:
    """Milliseconds of the processor within a ``with``."""

    ms = 0.0

    def __enter__(self) -> _Processor:
        self._begin = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.ms = (time.process_time() - self._begin) * 1000.0


def write_again(results: Path, copy: Path) -> _Processor:
    """Write a bag's messages into another one."""
    with BagReader(results) as bag:
        kinds = bag.topics
        messages = list(bag.raw(list(kinds)))
    with _Processor() as writing, BagWriter(copy) as out:
        for topic, time_ns, data in messages:
            out.write_raw(topic, kinds[topic], data, time_ns)
    return writing


def topic_bytes(results: Path) -> Counter[str]:
    """Bytes of each topic, each message compressed by itself."""
    sizes: Counter[str] = Counter()
    with BagReader(results) as bag:
        for topic, _, data in bag.raw(list(bag.topics)):
            sizes[topic] += len(zstandard.compress(data))
    return sizes


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drive", type=Path, nargs="?", default=shared("demo/street"))
    drive = parser.parse_args(arguments).drive
    cv2.setNumThreads(1)
    signs, detector, segnet = (
        perception.load(shared(f"models/{name}.onnx"), device="cpu")
        for name in ("signs", "sign_detector", "segnet")
    )
    source = open_source(drive, use_rois=False)
    with _Processor() as reading:
        frames = sum(1 for _ in source.shots())
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        with _Processor() as everything:
            outcome = run([drive], out, [SignReader(detector, signs), segnet], overlays="none")
        writing = write_again(outcome.results, Path(folder) / "copy")
        sizes = topic_bytes(outcome.results)
        total = sum(path.stat().st_size for path in outcome.results.glob("*.mcap"))
    models = everything.ms - reading.ms - writing.ms
    console = Console()
    parts = {"read": reading.ms, "models": models, "write": writing.ms, "all": everything.ms}
    console.print(tables.numbers(("", "ms a frame"), [(name, ms / frames) for name, ms in parts.items()]))
    rows = [*sizes.most_common(), ("the bag of results", total)]
    console.print(
        tables.numbers(("", "bytes a frame"), [(name, f"{size / frames:.0f}") for name, size in rows])
    )


if __name__ == "__main__":
    main()
