"""Speed: what this package promises about time, as ratios that are measured side by side in one run.

    python -m scripts.speed                     # make bench does this
    python -m scripts.speed --minutes 10        # the long form of the load
    python -m scripts.speed together batch      # some rows only

All runs on two cores. Whatever is compared takes turns, so that other work slows both. The row plain needs
"make training", because it cuts a model file open.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import rclpy

import perception
from perception.demo.child import Child
from perception.demo.demo import isolation
from perception.engines.precision import choose
from perception.nodes.middleware import started
from perception.paths import shared
from scripts import frame_path, load, plain
from scripts.camera import HZ, pictures

CORES = 2
CAMERA_HW = (480, 640)
JPEG_HW = (720, 1280)
BOXES = 8
TURNS = 30  # of what is compared, frame by frame
PARTS = 2  # of what is compared, run by run
PART_MINUTES = 0.25
STARTS = 3
QUIET_S = 1.0


@dataclass(frozen=True)
class Row:
    """One promise and what came of it.

    Attributes:
        what: was measured.
        measured: the ratio, or the time in its unit.
        target: what it should be, in words.
        holds: whether it is.
    """

    what: str
    measured: float
    target: str
    holds: bool


def at_least(what: str, measured: float, target: float) -> Row:
    """A ratio that should be large."""
    return Row(what, measured, f"≥ {target}", measured >= target)


def at_most(what: str, measured: float, target: float) -> Row:
    """A ratio, or a time, that should be small."""
    return Row(what, measured, f"≤ {target}", measured <= target)


def node(minutes: float, folder: Path) -> Iterator[Row]:
    """From the callback to the last publishing, over the bare engine."""
    for model in ("segnet", "track"):
        ratios = frame_path.measured_in(frame_path.ROOT, "--over-engine", model)
        yield at_most(f"node over bare engine, {model}, 640x480 bgr8, p50", ratios["p50"], 1.05)
        yield at_most(f"node over bare engine, {model}, 640x480 bgr8, p99", ratios["p99"], 1.2)


def plainly(minutes: float, folder: Path) -> Iterator[Row]:
    """From a frame to its mask in INT8, over resize, numpy, float net and argmax with the same weights."""
    frame = next(pictures(CAMERA_HW, signs=True))
    for model in ("segnet", "track"):
        exact = shared(f"models/{model}.onnx")
        with perception.load(exact.with_suffix(".int8.onnx"), device="cpu") as segment:
            ours, plains = medians([partial(segment, frame), plain.way(exact, frame, CORES)])
        yield at_least(f"plain way over ours in INT8, {model}, 640x480", plains / ours, 2.5)


def batch(minutes: float, folder: Path) -> Iterator[Row]:
    """Eight boxes of a frame in one call of the engine, over eight calls."""
    frame = next(pictures(CAMERA_HW, signs=True))
    boxes = [[40.0 * k, 30.0 * k, 40.0 * k + 48, 30.0 * k + 48] for k in range(BOXES)]
    with perception.load(choose(shared("models/signs.onnx"), "auto", "cpu").path, device="cpu") as classify:
        one, eight = medians(
            [
                lambda: classify.classify_boxes(frame, boxes),
                lambda: [classify.classify_boxes(frame, [box]) for box in boxes],
            ]
        )
    yield at_least("eight boxes in eight calls over one call", eight / one, 3.0)


def together(minutes: float, folder: Path) -> Iterator[Row]:
    """Both tasks in one process, over two: frames a second that both answer, with the camera on the cores."""
    for name, size_hw, jpeg, models in (
        ("640x480 bgr8, segnet", CAMERA_HW, False, {}),
        ("1280x720 JPEG, segnet", JPEG_HW, True, {}),
        ("1280x720 JPEG, track", JPEG_HW, True, {"segmentation": "track"}),
    ):
        counts = {True: 0, False: 0}
        for shared_process in [True, False] * PARTS:
            how = {"together": shared_process, "jpeg": jpeg, "models": models}
            _, loads = load.load(PART_MINUTES, size_hw, signs=True, folder=folder, **how)
            counts[shared_process] += sum(len(one.ages) for one in loads.values())
        what = f"one process over two, frames a second, {name}"
        yield at_least(what, counts[True] / max(counts[False], 1), 1.2)


def late(minutes: float, folder: Path) -> Iterator[Row]:
    """A camera of 60 Hz and slower models: how old results are beyond the inference, and the memory."""
    for shared_process in (False, True):
        _, loads = load.load(minutes, CAMERA_HW, signs=True, folder=folder, together=shared_process)
        where = "one process" if shared_process else "a process each"
        for name, one in loads.items():
            if not one.ages:
                sys.exit(f"{name}: no frame answered in {minutes:g} minutes, {where}")
            waited_ms = load.percentile([age for _, age in one.ages], 99) - one.inference_ms
            what = f"age beyond inference, p99, frame periods, {name}, {where}"
            yield at_most(what, waited_ms * HZ / 1000.0, 2.0)
            yield at_most(f"memory growth in {minutes:g} minutes, MB, {name}, {where}", one.grown_mb(), 5.0)


def start(minutes: float, folder: Path) -> Iterator[Row]:
    """From the start of a process to its first mask, while a camera is on; the median of a few starts."""
    words, log = ["scripts.camera", "640x480"], folder / "camera.log"
    with ExitStack() as stack:
        observer = stack.enter_context(started(load.Observer))
        stack.callback(Child.start("camera", words, environment=os.environ, log=log).stop)
        seconds = [first_mask_s(observer, module, folder) for module in ("segmentation", "stack") * STARTS]
    yield at_most("start of segmentation to its first mask, s", float(np.median(seconds[::2])), 1.0)
    yield at_most("start of the stack to its first mask, s", float(np.median(seconds[1::2])), 1.0)


def first_mask_s(observer: load.Observer, module: str, folder: Path) -> float:
    """Seconds from a process's start to the first mask that the observer gets."""
    ages = observer.loads["segmentation"].ages
    quiet_s = time.monotonic() + QUIET_S
    while time.monotonic() < quiet_s:  # the last masks of the process before
        rclpy.spin_once(observer, timeout_sec=0.05)
    ages.clear()
    begin = time.monotonic()
    log = folder / f"{module}.log"
    child = Child.start(module, [f"perception.nodes.{module}"], environment=os.environ, log=log)
    try:
        while not ages and child.code is None and time.monotonic() < begin + load.START_S:
            rclpy.spin_once(observer, timeout_sec=0.05)
        took_s = time.monotonic() - begin
        if not ages:
            sys.exit(f"{module} gave no mask\n{child.last_lines()}")
        return took_s
    finally:
        child.stop()


def medians(ways: Sequence[Callable[[], object]]) -> list[float]:
    """Median milliseconds of each; they take turns, and the first three turns do not count."""
    took_ms = np.empty((TURNS + 3, len(ways)))
    for turn in took_ms:
        for number, way in enumerate(ways):
            begin = time.perf_counter()
            way()
            turn[number] = (time.perf_counter() - begin) * 1000.0
    return np.median(took_ms[3:], axis=0).tolist()


ROWS = {"node": node, "plain": plainly, "batch": batch, "together": together, "late": late, "start": start}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m scripts.speed", description="Promises about time.")
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--minutes", type=float, default=1.0, help="of load in each run (default: 1)")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    names = [name for name in options.rows or ROWS if name != "plain" or plain.is_possible()]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ.update(isolation(folder))
        for name in names:
            for row in ROWS[name](options.minutes, folder):
                verdict = "holds" if row.holds else "misses"
                print(f"{row.measured:8.2f}  {row.target:<6}  {verdict:<6}  {row.what}", flush=True)


if __name__ == "__main__":
    main()
