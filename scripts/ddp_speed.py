"""What a second process brings to a training on this machine, side by side with one.

    python -m scripts.ddp_speed data/CamVid
    python -m scripts.ddp_speed data/GTSRB --task signs --batch_size 64

Each row trains for some steps as ``fit`` does, with its task, optimiser, running average and augmentation,
but without validation, checkpoint and export. The rows take turns, so that other work on the machine meets
them all. The efficiency is the share of the frames a second that the first row would have if it were as many
times as fast as there are threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console
from rich.table import Table

from training.callbacks import RunningAverage
from training.distributed import Together
from training.tasks import TASKS, column

ROWS = ((1, 1), (2, 1), (1, 2))  # processes, and threads of each
WARM_UP = 3  # steps that do not count


class Clock(Callback):
    """Milliseconds from the end of each step to the end of the next, data and waiting included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())

    @property
    def step_ms(self) -> float:
        return float(np.median(np.diff(self.ends)[WARM_UP:]) * 1000.0)


def train(options: argparse.Namespace, processes: int) -> float:
    """Milliseconds of a step. Lightning starts the other processes by this process's command line."""
    L.seed_everything(0)
    clock = Clock()
    trainer = L.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        max_epochs=-1,
        max_steps=WARM_UP + options.steps + 1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[RunningAverage(), Together(), clock],
    )
    data = column(options.task, "data")(str(options.root), batch_size=options.batch_size)
    trainer.fit(column(options.task, "module")(), datamodule=data)
    return clock.step_ms


def in_processes(arguments: list[str], processes: int, threads: int) -> float:
    """The same by a command of its own, because threads are chosen when a process starts."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "step.json"
        command = [sys.executable, "-m", "scripts.ddp_speed", *arguments]
        command += ["--processes", str(processes), "--result", str(result)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        return float(json.loads(result.read_text()))


def table(step_ms: np.ndarray, batch_size: int) -> Table:
    """The rows (turns, rows) as a table; medians over the turns."""
    rates = [batch_size * processes / ms for (processes, _), ms in zip(ROWS, np.median(step_ms, axis=0))]
    shown = Table(
        "processes", "threads of each", "frames a step", "ms a step", "frames a second", "efficiency"
    )
    for (processes, threads), ms, rate in zip(ROWS, np.median(step_ms, axis=0), rates):
        efficiency = rate / rates[0] / processes / threads
        frames = batch_size * processes
        row = (processes, threads, frames, f"{ms:.0f}", f"{1000 * rate:.1f}", f"{efficiency:.0%}")
        shown.add_row(*map(str, row))
    return shown


def main() -> None:
    """Measure all rows in turns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="a data set of the task")
    parser.add_argument("--task", choices=TASKS, default="segmentation", help="(default: segmentation)")
    parser.add_argument("--batch_size", type=int, default=8, help="of each process (default: 8)")
    parser.add_argument("--steps", type=int, default=10, help="that count (default: 10)")
    parser.add_argument("--turns", type=int, default=3, help="(default: 3)")
    parser.add_argument("--processes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.result:
        step_ms = train(options, options.processes)
        if not rank_zero_only.rank:
            options.result.write_text(json.dumps(step_ms))
        return
    turns = [[in_processes(sys.argv[1:], *row) for row in ROWS] for _ in range(options.turns)]
    Console(width=110).print(table(np.array(turns), options.batch_size))


if __name__ == "__main__":
    main()
